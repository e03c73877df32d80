import re
from pathlib import Path

from bakery_ops.rules.findings import Finding, Severity, blocking, ordered

REPOSITORY = Path(__file__).parents[3]
RULE = re.compile(r'(?:[fF]inding\(\s*"([a-z-]+)",|yield "([a-z-]+)", f?")')


def test_what_blocks_comes_first_and_nothing_comes_twice():
    findings = [
        Finding("b", Severity.WARNING, "x", "f:1", "m"),
        Finding("a", Severity.PREFLIGHT, "x", "f:1", "m"),
        Finding("c", Severity.USAGE, "x", "f:1", "m"),
        Finding("c", Severity.USAGE, "x", "f:1", "m"),
    ]
    assert [each.rule for each in ordered(findings)] == ["c", "a", "b"]
    assert [each.rule for each in blocking(ordered(findings))] == ["c", "a"]


def test_every_rule_is_documented_and_every_documented_rule_exists():
    sources = [
        *(REPOSITORY / "bakery_ops" / "rules").rglob("*.py"),
        REPOSITORY / "bakery_ops" / "workflows" / "check.py",
    ]
    used = {rule for source in sources for pair in RULE.findall(source.read_text()) for rule in pair if rule}
    document = (REPOSITORY / "docs" / "checks.md").read_text()
    rows = [line for line in document.splitlines() if line.startswith("| `")]
    documented = {rule for row in rows for rule in re.findall(r"`([a-z-]+)`", row.split("|")[1])}
    assert documented == used
