"""docs/faults.md names tests that exist, and has a row for every id that code and tests cite."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
TEXT = (ROOT / "docs" / "faults.md").read_text()
ROWS = dict(re.findall(r"^\| ([IFB]\d+) \|(.*)\|$", TEXT, re.MULTILINE))
PROOF = re.compile(r"\b((?:unit|simulated|manifests|tools|e2e)/[\w/]+\.py)(?:::(\w+))?")
CITED = re.compile(r"(?<![\w-])([IFB]\d{1,2})\b(?!-)")


def test_every_proof_that_is_named_exists() -> None:
    proofs = [(row, *found) for row, cells in ROWS.items() for found in PROOF.findall(cells)]
    assert len(proofs) > 100
    lost = [proof for proof in proofs if not (TESTS / proof[1]).is_file()]
    lost += [
        (row, file, name) for row, file, name in proofs if name and f"def {name}(" not in (TESTS / file).read_text()
    ]
    assert lost == []


def test_a_row_without_a_proof_says_so_or_says_why_there_is_nothing_to_prove() -> None:
    honest = re.compile(r"not proved yet|not looked for yet|is read|is not used")
    assert [row for row, cells in ROWS.items() if not PROOF.search(cells) and not honest.search(cells)] == []


def test_every_row_that_a_test_cites_is_there() -> None:
    cited = {
        identifier
        for file in TESTS.rglob("test_*.py")
        for text in re.findall(r'"""(.*?)"""', file.read_text(), re.DOTALL)
        for identifier in CITED.findall(text)
    }
    assert len(cited) > 40
    assert cited - set(ROWS) == set()
