"""What holds for every observation, however the world behaves."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bakery_ops.model.times import format_time
from bakery_ops.rules.evidence import EVIDENCE
from bakery_ops.rules.readiness import Memory, judge
from bakery_ops.rules.verdict import Verdict
from tests.unit.rules.readiness import stage

Step = dict[str, Any]
ROWS = {row.id: row for row in EVIDENCE}
OBSERVED_WORLDS = ("deployment", "statefulset", "daemonset", "replicaset", "budget")

counts = st.integers(0, 4)
TEXTS = (
    "manifest unknown",
    "i/o timeout",
    'secret "redis-tls" not found',
    "failed to sync secret cache: timed out waiting for the condition",
    'Back-off pulling image "registry.example/bakery/orders-service:1.0.0"',
    "",
)
WAITING = (
    "PodInitializing",
    "ContainerCreating",
    "ErrImagePull",
    "ImagePullBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CrashLoopBackOff",
)


def _player(world: str) -> stage.Player:
    return stage.Player(stage.Case(world, {"world": world, "rule": "", "steps": []}))


@st.composite
def container_states(draw: st.DrawFn, at: int) -> Step:
    """A container status as a kubelet could write it at `at`."""
    ends = {
        "exitCode": draw(st.sampled_from([0, 1, 3, 126, 127, 128, 137, 143])),
        "reason": draw(st.sampled_from(["Error", "Completed", "OOMKilled", "StartError"])),
        "message": draw(st.sampled_from(TEXTS)),
        "finishedAt": format_time(stage.T0 + draw(st.integers(-5, at))),
    }
    state: Step = draw(
        st.sampled_from(
            [
                {"running": {"startedAt": format_time(stage.T0 + at)}, "waiting": None, "terminated": None},
                {"terminated": ends, "running": None, "waiting": None},
                *(
                    {"waiting": {"reason": reason, "message": text}, "running": None, "terminated": None}
                    for reason in WAITING
                    for text in TEXTS
                ),
            ]
        )
    )
    ready = draw(st.booleans()) if state["running"] else False
    last = {"terminated": ends} if draw(st.booleans()) else {"terminated": None}
    return {"name": "app", "state": state, "lastState": last, "ready": ready, "restartCount": draw(st.integers(0, 5))}


@st.composite
def events_about_pods(draw: st.DrawFn, at: int) -> list[Step]:
    reasons = (
        "FailedMount",
        "FailedCreatePodSandBox",
        "Killing",
        "Unhealthy",
        "NodeNotReady",
        "TriggeredScaleUp",
        "Failed",
    )
    texts = (*TEXTS, "Container app failed liveness probe, will be restarted", "Readiness probe failed: 503")
    some = st.fixed_dictionaries(
        {
            "about": st.sampled_from(["pod", "set", "object", "stranger"]),
            "reason": st.sampled_from(reasons),
            "message": st.sampled_from(texts),
            "at": st.integers(0, max(at, 0)),
            "count": st.integers(1, 4),
        }
    )
    return draw(st.lists(some, max_size=3))


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Steps in the life of a Deployment with one pod, anything at any time."""
    steps, at = [], 0
    for _ in range(draw(st.integers(1, 7))):
        at += draw(st.sampled_from([0, 1, 3, 9, 10, 11, 21, 59, 61, 121]))
        status = draw(
            st.fixed_dictionaries(dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), counts))
        )
        phase = draw(st.sampled_from(["Pending", "Running", "Failed"]))
        steps.append(
            {
                "at": at,
                "object": {"status": status},
                "children": {"pod": {"status": {"phase": phase, "containerStatuses": [draw(container_states(at))]}}},
                "events": draw(events_about_pods(at)),
                "dependencies_ready": draw(st.booleans()),
                "synced": draw(st.booleans()),
            }
        )
    return steps


@given(
    world=st.sampled_from(OBSERVED_WORLDS),
    generation=st.integers(1, 5),
    behind=st.integers(1, 5),
    status=st.dictionaries(st.sampled_from(["replicas", "readyReplicas", "availableReplicas", "numberReady"]), counts),
    state=container_states(30),
)
@settings(max_examples=80, deadline=None)
def test_nothing_is_decided_before_the_controller_has_seen_the_version(
    world: str, generation: int, behind: int, status: Step, state: Step
) -> None:
    player = _player(world)
    observed = max(0, generation - behind)
    step: Step = {
        "at": 30,
        "object": {"metadata": {"generation": generation}, "status": {**status, "observedGeneration": observed}},
        "children": {"pod": {"status": {"containerStatuses": [state]}}} if player.state.get("children") else {},
    }
    assert player.play(step).verdict is Verdict.PROGRESSING


@given(steps=histories())
@settings(max_examples=60, deadline=None)
def test_the_same_observations_give_the_same_judgements(steps: list[Step]) -> None:
    one, other = _player("deployment-starting"), _player("deployment-starting")
    for step in steps:
        observation = one.observe(step)
        assert judge(observation, one.memory) == judge(observation, one.memory)
        _, one.memory = judge(observation, one.memory)
        assert other.play(copy.deepcopy(step)) == judge(observation, other.memory)[0] or other.memory == one.memory


@given(steps=histories())
@settings(max_examples=60, deadline=None)
def test_no_hold_time_ends_early_and_every_accusation_names_its_evidence(steps: list[Step]) -> None:
    player = _player("deployment-starting")
    for step in steps:
        judgement = player.play(step)
        assert bool(judgement.evidence) == (judgement.verdict in (Verdict.FAILED, Verdict.FAILING))
        now = stage.T0 + step["at"]
        assert judgement.wake_at is None or judgement.wake_at > now
        for key, sighting in player.memory.sightings.items():
            row = ROWS[key[0]]
            assert sighting.since <= now
            if sighting.failed_at is None or row.budget:
                continue
            assert row.hold is not None
            assert sighting.since + row.hold + sighting.paused_for <= sighting.failed_at <= now


@given(steps=histories(), seed=st.integers())
@settings(max_examples=60, deadline=None)
def test_the_order_of_lists_does_not_matter(steps: list[Step], seed: int) -> None:
    player = _player("deployment-starting")
    chance = random.Random(seed)
    memory = Memory()
    for step in steps:
        observation = player.observe(step)
        judgement, player.memory = judge(observation, player.memory)
        shuffled = replace(
            observation,
            children=chance.sample(list(observation.children), len(observation.children)),
            events=chance.sample(list(observation.events), len(observation.events)),
        )
        again, memory = judge(shuffled, memory)
        assert again == judgement


@given(steps=histories())
@settings(max_examples=40, deadline=None)
def test_strange_fields_and_other_objects_do_not_matter(steps: list[Step]) -> None:
    plain, noisy = _player("deployment-starting"), _player("deployment-starting")
    for step in steps:
        noise = copy.deepcopy(step)
        noise["object"] |= {"future": {"field": 1}, "spec": {"futureField": [1, 2]}}
        noise["children"]["pod"]["status"] |= {"allocatedResources": {"cpu": "1"}, "resize": "Proposed"}
        noise["children"]["stranger"] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "stranger",
                "uid": "stranger",
                "ownerReferences": [{"uid": "other", "kind": "ReplicaSet"}],
            },
            "status": {"containerStatuses": [{"name": "app", "state": {"waiting": {"reason": "InvalidImageName"}}}]},
        }
        noise["related"] = {"config": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}}
        assert noisy.play(noise) == plain.play(step)


@given(steps=histories())
@settings(max_examples=40, deadline=None)
def test_nobody_is_accused_of_crashing_while_a_dependency_is_not_ready(steps: list[Step]) -> None:
    player = _player("deployment-starting")
    for step in steps:
        judgement = player.play({**step, "dependencies_ready": False})
        reasons = {evidence.reason for evidence in judgement.evidence}
        assert not reasons & {"CrashLoopBackOff", "Unhealthy"}


@given(steps=histories())
@settings(max_examples=40, deadline=None)
def test_progress_only_grows(steps: list[Step]) -> None:
    player = _player("deployment-starting")
    before: Any = None
    for step in steps:
        revision, counters = player.play(step).progress  # type: ignore[misc]
        if before is not None and before[0] == revision:
            assert all(new >= old for new, old in zip(counters, before[1], strict=True))
        before = (revision, counters)
