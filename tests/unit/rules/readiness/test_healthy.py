"""A rollout that gets well in time is never called failed, whatever it goes through: no cry of wolf."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bakery_ops.model.times import format_time
from bakery_ops.rules.verdict import Verdict
from tests.unit.rules.readiness import stage

Step = dict[str, Any]

# Each is one trouble of a pod: how long it may last at most (seconds, below its hold time), and how it looks.
_NOT_SCHEDULED = "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes"
PULLS_LATER = ("503 Service Unavailable", "429 Too Many Requests", "i/o timeout", "no such host")
CACHE_LAGS = ('object "bakery-ia"/"redis-tls" not registered', "failed to sync secret cache: timed out")


def _waiting(reason: str, message: str = "") -> Step:
    return {
        "status": {
            "phase": "Pending",
            "containerStatuses": [_status({"waiting": {"reason": reason, "message": message}})],
        }
    }


def _status(state: Step, **said: Any) -> Step:
    return {
        "name": "app",
        "ready": False,
        "state": {"running": None, "waiting": None, "terminated": None} | state,
    } | said


def _running(at: float) -> Step:
    return {
        "status": {
            "phase": "Running",
            "containerStatuses": [_status({"running": {"startedAt": format_time(stage.T0 + at)}})],
        }
    }


@st.composite
def pulls(draw: st.DrawFn, start: float) -> list[tuple[float, Step]]:
    """A registry in trouble for less than two minutes, seen as error and back-off in turn."""
    text = draw(st.sampled_from(PULLS_LATER))
    length = draw(st.floats(1, 116))  # whoever draws this takes up to three seconds more
    moments = sorted(draw(st.lists(st.floats(0, length), max_size=4)))
    looks = [
        ("ErrImagePull", text),
        ("ImagePullBackOff", 'Back-off pulling image "registry.example/bakery/orders-service:1.0.0"'),
    ]
    found = [(start, {"children": {"pod": _waiting(*looks[0])}})]
    return found + [
        (start + moment, {"children": {"pod": _waiting(*looks[number % 2])}})
        for number, moment in enumerate(moments, 1)
    ]


@st.composite
def restarts(draw: st.DrawFn, start: float) -> list[tuple[float, Step]]:
    """Crashes: at most two with everything ready, or any number while a dependency is not."""
    excused = draw(st.booleans())
    times = draw(st.integers(3, 8)) if excused else draw(st.integers(1, 2))
    found, at = [], start
    for number in range(1, times + 1):
        end = {
            "exitCode": draw(st.sampled_from([1, 2, 137, 143])),
            "reason": "Error",
            "finishedAt": format_time(stage.T0 + at),
        }
        pause = draw(st.floats(1, 200 if excused else 25))
        down = _status(
            {"waiting": {"reason": "CrashLoopBackOff"}}, restartCount=number - 1, lastState={"terminated": end}
        )
        found.append(
            (at, {"dependencies_ready": not excused, "children": {"pod": {"status": {"containerStatuses": [down]}}}})
        )
        at += pause
        up = _status(
            {"running": {"startedAt": format_time(stage.T0 + at)}}, restartCount=number, lastState={"terminated": end}
        )
        found.append(
            (at, {"dependencies_ready": not excused, "children": {"pod": {"status": {"containerStatuses": [up]}}}})
        )
        at += draw(st.floats(0, 5))
    if excused:  # the dependency gets ready while the pod still waits out its back-off
        found[-2][1]["dependencies_ready"] = False
        found[-1][1]["dependencies_ready"] = True
    return found


@st.composite
def healthy(draw: st.DrawFn) -> list[Step]:
    """A Deployment that ends Ready, by a road with some of the troubles on it."""
    at = 0.0
    found: list[tuple[float, Step]] = [(0.0, {"children": {"pod": _waiting("ContainerCreating")}})]
    if draw(st.booleans()):
        message = draw(st.sampled_from(CACHE_LAGS))
        found.append((at + 1, {"events": [{"about": "pod", "reason": "FailedMount", "message": message, "at": 1}]}))
        at += draw(st.floats(2, 100))
    if draw(st.booleans()):
        found += draw(pulls(at + 1))
        at = found[-1][0] + draw(st.floats(0, 2))
        at = max(at, found[1][0])
    if draw(st.booleans()):
        lag = {"children": {"pod": _waiting("CreateContainerConfigError", draw(st.sampled_from(CACHE_LAGS)))}}
        found.append((at + 1, lag))
        at += 1 + draw(st.floats(1, 100))
    found.append((at + 1, {"children": {"pod": _running(at + 1)}}))
    at += 1
    if draw(st.booleans()):
        found += draw(restarts(at + 1))
        at = found[-1][0]
    at += draw(st.floats(1, 300))
    ready = {
        "object": stage.world("deployment")["object"],
        "dependencies_ready": True,
        "children": {"pod": {"status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": True}]}}},
    }
    found.append((at, ready))
    return [{"at": moment, **step} for moment, step in found]


@given(steps=healthy(), extra=st.lists(st.floats(0, 900), max_size=10))
@settings(max_examples=100, deadline=None)
def test_a_rollout_that_gets_well_in_time_is_never_failed_and_ends_ready(steps: list[Step], extra: list[float]) -> None:
    end = steps[-1]["at"]
    looks = sorted([*steps, *({"at": moment} for moment in extra if moment < end)], key=lambda step: step["at"])
    player = stage.Player(stage.Case("healthy", {"world": "deployment-creating", "rule": "", "steps": []}))
    judgement = None
    while looks:
        step = looks.pop(0)
        judgement = player.play(step)
        assert judgement.verdict is not Verdict.FAILED, (step, judgement)
        wake = None if judgement.wake_at is None else judgement.wake_at - stage.T0
        if wake is not None and looks and wake < looks[0]["at"]:
            looks.insert(0, {"at": wake})
    assert judgement is not None
    assert judgement.verdict is Verdict.READY
