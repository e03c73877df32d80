"""docs/readiness.md says what the code does: its tables are made from the code's, and this test makes them anew.

When it fails, run `python -m tests.unit.rules.readiness.test_documentation` from the repository's root.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from bakery_ops.rules.evidence import EVIDENCE
from bakery_ops.rules.readiness.judge import RULES
from tests.unit.rules.readiness import stage

PAGE = Path(__file__).parents[4] / "docs" / "readiness.md"

TITLES = {
    "common": "Every object",
    "hold": "Hold times",
    "deployment": "Deployment",
    "replicaset": "ReplicaSet",
    "statefulset": "StatefulSet",
    "daemonset": "DaemonSet",
    "job": "Job",
    "cronjob": "CronJob",
    "pod": "Pod",
    "claim": "PersistentVolumeClaim",
    "service": "Service",
    "ingress": "Ingress",
    "autoscaler": "HorizontalPodAutoscaler",
    "budget": "PodDisruptionBudget",
    "definition": "CustomResourceDefinition",
    "apiservice": "APIService",
    "namespace": "Namespace",
    "configuration": "ConfigMap, permissions and the like",
    "secret": "Secret",
}


def evidence_table() -> str:
    lines = ["| evidence | class | failed after |", "|---|---|---|"]
    lines += [f"| {row.symptom} | {row.evidence_class.value} | {row.failed_after} |" for row in EVIDENCE]
    return "\n".join(lines)


def rules_list() -> str:
    """The rules of the kinds; those about pods and containers are the evidence table's."""
    ordered = sorted(
        stage.rules().items(),
        key=lambda rule: list(TITLES).index(_family(rule[0])) if _family(rule[0]) in TITLES else 99,
    )
    parts = []
    for family, rules in groupby(ordered, key=lambda rule: _family(rule[0])):
        if family in TITLES:
            parts.append(f"**{TITLES[family]}**\n" + "\n".join(f"- {sentence}" for _, sentence in rules))
    return "\n\n".join(parts)


def _family(rule: str) -> str:
    return rule.partition("/")[0]


def with_tables(page: str) -> str:
    page = _between(page, "<!-- evidence: generated from bakery_ops/rules/evidence.py -->", evidence_table())
    return _between(page, "<!-- rules: generated from tests/unit/rules/cases/rules.yaml -->", rules_list())


def _between(page: str, mark: str, text: str) -> str:
    head, _, rest = page.partition(mark)
    _, end, tail = rest.partition("<!-- end -->")
    return f"{head}{mark}\n{text}\n{end}{tail}"


def test_the_page_shows_the_tables_of_the_code() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page)


def test_every_kind_with_a_rule_of_its_own_is_explained() -> None:
    page = PAGE.read_text()
    assert [kind for _, kind in RULES if kind not in page] == []


def test_ids_of_rows_are_unique() -> None:
    ids = [row.id for row in EVIDENCE]
    assert len(set(ids)) == len(ids)


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
