"""What a live display shows of a rollout, and its root causes. Nothing here changes what the machine does.

Drawn four times a second, so a row is kept until its node is judged again: most nodes stand still most of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.live import DaemonSet, Deployment, Job, LiveObject, ReplicaSet, StatefulSet
from bakery_ops.model.words import one_line
from bakery_ops.rules import diagnosis
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout
from bakery_ops.rules.verdict import Verdict


class NodeView(NamedTuple):
    """One row. `since`: when the verdict last changed; `started`: when we sent it (None: not sent), server time.

    `ready`: how many pods (of a Job: completions) of how many are there, or None for what has none. `event`: the last
    Kubernetes event about a workload that is on its way, in one line.
    """

    name: str
    kind: str
    stage: Stage
    is_workload: bool
    phase: Phase
    verdict: Verdict
    message: str
    since: float
    started: float | None
    restarts: int
    waiting_for: tuple[str, ...]
    timed_out: bool
    ready: tuple[int, int] | None = None
    event: str = ""


MISSING = "is not in the cluster"
"""The message of a node that nobody is bringing: nothing is under way, and the cluster does not have it."""


class StageView(NamedTuple):
    """Counts over the workloads of one stage, or over all its nodes when it has none."""

    stage: Stage
    total: int
    ready: int
    failing: int
    failed: int
    started_at: float | None
    done_at: float | None


class RolloutView(NamedTuple):
    at: float
    started: float
    nodes: Mapping[str, NodeView]
    stages: tuple[StageView, ...]
    causes: tuple[diagnosis.RootCause, ...]
    outcome: Outcome | None


def view(rollout: Rollout) -> RolloutView:
    """The rollout as it stands. `causes` are there only when something fails, or at the end."""
    nodes = {name: _row(rollout, state) for name, state in rollout.nodes.items()}
    speaks = rollout.failed or rollout.timed_out or rollout.outcome is not None
    return RolloutView(
        at=rollout.now,
        started=rollout.started,
        nodes=nodes,
        stages=tuple(_stage_view(rollout, stage, nodes) for stage in rollout.stages),
        causes=diagnosis.reported(causes(rollout)) if speaks else (),
        outcome=rollout.outcome,
    )


def _row(rollout: Rollout, state: NodeState) -> NodeView:
    """The kept row, or a new one. What is on its way shows events and pods, which come without a judgement; the end
    decides about what was never answered, without one too."""
    kept = rollout.rows.get(state.name)
    if isinstance(kept, NodeView) and rollout.outcome is None:
        return kept
    fresh = node_view(rollout, state)
    if not _is_on_its_way(state):
        rollout.rows[state.name] = fresh
    return fresh


def _is_on_its_way(state: NodeState) -> bool:
    return state.node.is_workload and state.sent_at is not None and not state.is_ready


def node_view(rollout: Rollout, state: NodeState) -> NodeView:
    live = rollout.world.of(state.node.ref) if _is_on_its_way(state) else None
    return NodeView(
        name=state.name,
        kind=state.node.ref.kind,
        stage=state.node.stage,
        is_workload=state.node.is_workload,
        phase=state.phase,
        verdict=state.verdict,
        message=state.message,
        since=state.since,
        started=state.sent_at,
        restarts=sum(state.judgement.restarts.values()),
        waiting_for=tuple(sorted(state.edges)) or state.judgement.waiting_for,
        timed_out=state.timed_out,
        ready=None if live is None else ready_count(live),
        event="" if live is None else _last_event(rollout, state, live),
    )


def ready_count(live: LiveObject) -> tuple[int, int] | None:
    """What `kubectl get` shows as READY, of a Job as COMPLETIONS."""
    match live:
        case Deployment() | ReplicaSet() | StatefulSet():
            return live.status.ready_replicas, 1 if live.spec.replicas is None else live.spec.replicas
        case DaemonSet():
            return live.status.number_ready, live.status.desired_number_scheduled or 0
        case Job():
            return live.status.succeeded, 1 if live.spec.completions is None else live.spec.completions
    return None


def _last_event(rollout: Rollout, state: NodeState, live: LiveObject) -> str:
    seen = rollout.world.events([live, *rollout.world.children(live)], state.sent_at or rollout.started)
    return one_line(f"{seen[-1].reason}: {seen[-1].message}") if seen else ""


def _stage_view(rollout: Rollout, stage: Stage, nodes: Mapping[str, NodeView]) -> StageView:
    record = rollout.stages[stage]
    members = [nodes[name] for name in record.members]
    shown = [member for member in members if member.is_workload] or members
    verdicts = [member.verdict for member in shown]
    return StageView(
        stage=stage,
        total=len(shown),
        ready=verdicts.count(Verdict.READY),
        failing=verdicts.count(Verdict.FAILING),
        failed=verdicts.count(Verdict.FAILED),
        started_at=record.started_at,
        done_at=record.done_at,
    )


def causes(rollout: Rollout) -> tuple[diagnosis.RootCause, ...]:
    """All roots of what is not Ready now, by `diagnosis.roots`."""
    return diagnosis.roots(rollout.graph, conditions(rollout))


def conditions(rollout: Rollout) -> dict[str, diagnosis.Condition]:
    """A node that waits only for a slot is held up by those that hold the slots, unless something failed: a wait for a
    slot is no dependency, and beside a failure it would blame the wrong node."""
    holders = frozenset(
        name
        for name, state in rollout.nodes.items()
        if not rollout.failed and (state.holds_slot or (state.timed_out and state.phase is not Phase.WAITING))
    )
    return {
        name: diagnosis.Condition(
            state.verdict,
            state.message,
            holders if state.phase is Phase.WAITING and not state.edges and state.node.is_workload else state.edges,
            state.evidence,
            state.judgement.held and state.phase in (Phase.APPLIED, Phase.FOUND),
        )
        for name, state in rollout.nodes.items()
    }
