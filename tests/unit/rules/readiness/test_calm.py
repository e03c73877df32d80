"""The shortcut past the rules is safe: what is called calm no rule would hold against its workload."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bakery_ops.model.live import Pod, ReplicaSet
from bakery_ops.model.times import format_time
from bakery_ops.rules.readiness import Memory, Observation, judge
from bakery_ops.rules.readiness.calm import is_calm
from bakery_ops.rules.verdict import Verdict
from tests.unit.rules.readiness import stage
from tests.unit.rules.readiness.test_properties import container_states

AT = 30


def found(pod: dict[str, Any]) -> Observation:
    """A rolled-out Deployment that was found unchanged, and its pod."""
    player = stage.Player(stage.Case("calm", {"world": "deployment", "rule": "", "applied": None, "steps": []}))
    seen = player.observe({"at": AT, "children": {"pod": pod}})
    return replace(seen, started=seen.now)


def pod_of(observation: Observation) -> Pod:
    return next(child for child in observation.children if isinstance(child, Pod))


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    """A pod as the counters may not show it yet: anything its container can be in, whatever its conditions say."""
    status = draw(container_states(AT))
    if draw(st.booleans()):
        since = format_time(stage.T0 + draw(st.integers(-600, AT)))
        status |= {"state": {"running": {"startedAt": since}, "waiting": None, "terminated": None}, "ready": True}
    conditions = [{"type": "Ready", "status": draw(st.sampled_from(["True", "True", "False"]))}]
    phase = draw(st.sampled_from(["Running", "Running", "Pending", "Failed"]))
    return {"status": {"phase": phase, "conditions": conditions, "containerStatuses": [status]}}


@given(pod=pods())
@settings(max_examples=300, deadline=None)
def test_a_deployment_with_calm_pods_is_judged_the_same_with_and_without_its_replica_sets(pod: dict[str, Any]) -> None:
    whole = found(pod)
    without = replace(whole, children=[child for child in whole.children if not isinstance(child, ReplicaSet)])
    if is_calm(pod_of(whole), whole.now):
        assert judge(without, Memory())[0].verdict is judge(whole, Memory())[0].verdict is Verdict.READY


@pytest.mark.parametrize(
    ("change", "calm"),
    [
        ({}, True),
        ({"ready": False}, False),
        ({"state": {"waiting": {"reason": "CrashLoopBackOff"}, "running": None}}, False),
        ({"restartCount": 4, "state": {"running": {"startedAt": format_time(stage.T0 + AT - 9)}}}, False),
        ({"restartCount": 4, "state": {"running": {"startedAt": format_time(stage.T0 + AT - 11)}}}, True),
        ({"lastState": {"terminated": {"exitCode": 1}}, "state": {"running": {"startedAt": None}}}, False),
    ],
)
def test_calm_is_a_container_that_runs_and_has_proved_it(change: dict[str, Any], calm: bool) -> None:
    running = {"running": {"startedAt": format_time(stage.T0)}}
    status = {"name": "app", "ready": True, "restartCount": 0, "state": running, **change}
    conditions = [{"type": "Ready", "status": "True"}]
    seen = found({"status": {"phase": "Running", "conditions": conditions, "containerStatuses": [status]}})
    assert is_calm(pod_of(seen), seen.now) is calm


def test_a_pod_that_goes_away_is_not_calm() -> None:
    seen = found({})
    assert is_calm(pod_of(seen), seen.now)
    going = found({"metadata": {"deletionTimestamp": format_time(stage.T0)}})
    assert not is_calm(pod_of(going), going.now)
