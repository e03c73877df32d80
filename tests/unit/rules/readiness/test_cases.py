"""Real objects in, verdict out: every case of tests/unit/rules/cases, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bakery_ops.rules.evidence import EVIDENCE
from bakery_ops.rules.readiness import Memory, Observation, judge
from bakery_ops.rules.verdict import Judgement, Verdict
from tests.unit.rules.readiness import stage

CASES = stage.load()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: stage.Case) -> None:
    """The order of lists never matters, so each step is judged twice, the second time with every list turned round."""
    player, memory = stage.Player(case), Memory()
    for number, step in enumerate(case.body["steps"]):
        observation = player.observe(step)
        judgement, player.memory = judge(observation, player.memory)
        turned, memory = judge(_turned_round(observation), memory)
        assert turned == judgement
        wanted = step.get("expect", {})
        seen = _seen(judgement, wanted)
        assert seen == wanted, f"step {number} at {step['at']} s: {judgement}"
        if judgement.verdict in (Verdict.FAILED, Verdict.FAILING):
            assert judgement.evidence, "a verdict against a node names its evidence"


def _turned_round(observation: Observation) -> Observation:
    return replace(
        observation,
        children=list(reversed(observation.children)),
        related=list(reversed(observation.related)),
        events=list(reversed(observation.events)),
    )


def _seen(judgement: Judgement, wanted: dict[str, Any]) -> dict[str, Any]:
    """What was judged, in the words of `expect`; a text that is contained counts as the text."""
    evidence = judgement.evidence[0] if judgement.evidence else None
    said: dict[str, Any] = {
        "verdict": judgement.verdict.value,
        "message": judgement.message,
        "waiting_for": list(judgement.waiting_for),
        "held": judgement.held,
        "wake_at": stage.seconds(judgement.wake_at),
        "warning": "; ".join(judgement.warnings),
        "warnings": len(judgement.warnings),
        "evidence": len(judgement.evidence),
        "restarts": sum(judgement.restarts.values()),
        "progress": list(judgement.progress[1]),  # type: ignore[index]
    }
    if evidence is not None:
        said |= {
            "class": evidence.evidence_class.value,
            "reason": evidence.reason,
            "says": evidence.message,
            "subject": evidence.subject,
            "container": evidence.container,
            "since": stage.seconds(evidence.since),
            "fails_at": stage.seconds(evidence.fails_at),
            "names": [str(ref) for ref in evidence.names],
        }
    return {key: _match(said.get(key), value) for key, value in wanted.items()}


def _match(said: Any, wanted: Any) -> Any:
    return wanted if isinstance(said, str) and isinstance(wanted, str) and wanted and wanted in said else said


def test_there_are_at_least_250_cases() -> None:
    assert len(CASES) >= 250


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert sorted(set(names)) == sorted(names)


def test_every_rule_has_a_case_and_every_case_a_rule() -> None:
    assert {case.rule for case in CASES} == set(stage.rules())


def test_every_row_of_the_evidence_table_is_seen_failing_and_failed() -> None:
    """From what the judge itself remembers, so a case cannot claim a row that it does not touch."""
    failing, failed = set(), set()
    for case in CASES:
        player = stage.Player(case)
        for step in case.body["steps"]:
            player.play(step)
            for key, sighting in player.memory.sightings.items():
                (failing if sighting.failed_at is None else failed).add(key[0])
    at_once = {row.id for row in EVIDENCE if row.hold == 0 or row.budget == 1}
    for_ever = {row.id for row in EVIDENCE if row.hold is None and not row.budget}
    assert {row.id for row in EVIDENCE} - at_once == failing
    assert {row.id for row in EVIDENCE} - for_ever == failed
