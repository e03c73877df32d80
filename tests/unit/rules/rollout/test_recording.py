"""A recorded run plays again, to the same end, through JSON; and no secret byte is in it."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.rules.plan import Action, PruneStep
from bakery_ops.rules.rollout import recording
from bakery_ops.rules.rollout.events import (
    ApplyAccepted,
    ApplyRejected,
    Event,
    ObjectChanged,
    Outcome,
    Pruned,
    TimePassed,
)
from bakery_ops.rules.rollout.options import STREAMED_KINDS, FailMode, Options
from bakery_ops.rules.rollout.result import result
from bakery_ops.rules.rollout.view import view
from bakery_ops.rules.verdict import Applied
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import START, Table, believing, looks, node, planned, runs

CANARY = "c2VjcmV0LWNhbmFyeQ=="


class Recorded(Table):
    """A table whose events are recorded, each through JSON."""

    def __init__(self, *nodes: Any, options: Options | None = None, **more: Any) -> None:
        self.lines: list[str] = []
        graph = Graph(nodes)
        plan = planned(graph, more.get("actions"), more.get("prune", ()))
        line = recording.begun(
            graph,
            plan,
            options or Options(),
            START,
            facts=None,
            snapshot=more.get("snapshot", ()),
            synced=STREAMED_KINDS,
        )
        self.lines.append(json.dumps(line))
        super().__init__(*nodes, options=options, **more)

    def tell(self, *events: Event) -> Any:
        self.lines += [json.dumps(line) for event in events for line in recording.happened([event])]
        return super().tell(*events)

    def again(self) -> Any:
        return recording.replay((json.loads(line) for line in self.lines), judge=believing)


@runs(60)
@given(st.integers(0, 2**32))
def test_a_recording_plays_to_the_same_result(seed: int) -> None:
    chance = random.Random(seed)
    web = node("web", needs=["db"], waits={"db": "db"})
    table = Recorded(
        node("db", "StatefulSet", Stage.DATABASE),
        web,
        node("seed", "Job", Stage.SEED, needs=["web"]),
        options=Options(fail_mode=chance.choice(list(FailMode)), width=chance.randint(1, 3)),
        actions={"web": Action.SKIP},
        snapshot=[looks(web, "ready")],
    )
    for _ in range(12):
        name = chance.choice(["db", "web", "seed"])
        if name in table.sent and chance.random() < 0.8:
            table.start(
                name, chance.choice(["ready", "progressing", "failing", "failed", "blocked"]), waiting_for=["db"]
            )
        elif name in table.sent:
            table.reject(name, unknown=chance.random() < 0.5)
        table.wait(chance.uniform(0, 200))
    table.wait(4000)
    assert table.rollout.outcome is not None
    assert result(table.again()) == result(table.rollout)


def test_pruning_is_recorded_too() -> None:
    orphan = PruneStep(node("old").ref, "u1")
    table = Recorded(node("web"), prune=[orphan])
    table.start("web")
    table.wait(11)
    table.tell(Pruned(table.now, orphan.ref))
    assert table.again().outcome is Outcome.SUCCEEDED


def test_no_secret_byte_is_recorded() -> None:
    """Promise I6."""
    secret = node("secret/app", "Secret", Stage.FOUNDATION)
    secret.manifest.body["data"] = {"key": CANARY}  # type: ignore[index] # the builder's body is a dictionary
    secret.manifest.body["stringData"] = {"other": CANARY}  # type: ignore[index]
    table = Recorded(secret)
    body = {
        "apiVersion": "v1", "kind": "Secret", "data": {"key": CANARY},
        "metadata": {"name": "app", "namespace": "bakery-ia", "uid": "u", "annotations": {"last-applied": CANARY}},
    }  # fmt: skip
    table.tell(ApplyAccepted(START, "secret/app", Applied("u", 1, "h", START, True, True), live_object(body)))
    assert CANARY not in "".join(table.lines)
    assert '"key": "Kioq"' in table.lines[-1], "its keys are"


def test_no_credential_of_a_registry_is_recorded_or_shown() -> None:
    """Promise I6: what a kubelet says about a pull may hold the registry's user and token."""
    says = "limit as 'someone': dckr_jti_hunter2. Get https://someone:hunter2@registry.example/v2/"
    metadata = {"name": "web-x", "namespace": "bakery-ia", "uid": "x", "ownerReferences": [{"uid": "uid-web"}]}
    waiting = {"name": "app", "state": {"waiting": {"reason": "ErrImagePull", "message": says}}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"containerStatuses": [waiting]}}
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "bakery-ia", "uid": "ev"},
        "involvedObject": {"uid": "x", "kind": "Pod", "name": "web-x"}, "reason": "Failed", "message": says,
        "lastTimestamp": "2033-11-14T22:13:25Z",
    }  # fmt: skip
    table = Recorded(node("web"))
    table.start("web", "failing", reason="R", message="m")
    table.tell(ObjectChanged(table.now, live_object(pod)), ObjectChanged(table.now, live_object(event)))
    table.tell(ApplyRejected(table.now, "web", "Failed", says))
    shown = f"{view(table.rollout)} {result(table.rollout)}"
    recorded = "".join(table.lines)
    assert shown.count("registry.example") >= 2
    assert recorded.count("registry.example") == 3
    assert "hunter2" not in recorded + shown


def test_other_lines_between_are_skipped_and_a_foreign_event_is_refused() -> None:
    table = Recorded(node("web"))
    table.tell(TimePassed(START + 1))
    lines = [json.loads(line) for line in table.lines]
    recording.replay([lines[0], {"type": "verdict"}, *lines[1:]], judge=believing)
    with pytest.raises(ValueError, match="does not know: Earthquake"):
        recording.replay([lines[0], {"type": "event", "event": "Earthquake"}], judge=believing)
    with pytest.raises(ValueError, match="no beginning"):
        recording.replay(lines[1:], judge=believing)
