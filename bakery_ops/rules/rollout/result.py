"""The end of a rollout as one frozen value: what became of every object, why, and how long it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.words import one_line
from bakery_ops.rules import diagnosis
from bakery_ops.rules.plan import Action
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.judging import observe
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout
from bakery_ops.rules.rollout.view import causes
from bakery_ops.rules.rollout.world import event_time
from bakery_ops.rules.timeline import Milestones, milestones
from bakery_ops.rules.verdict import Evidence, Verdict

MOST_EVENTS = 5


class Status(Enum):
    """What became of our work on one object (docs/faults.md, promise I5)."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


class NodeResult(NamedTuple):
    """`ready_after`: seconds from our write (or the start) to the first Ready, or None. `source`: as in `Manifest`."""

    name: str
    ref: ObjectRef
    stage: Stage
    action: Action
    status: Status
    verdict: Verdict
    message: str
    evidence: tuple[Evidence, ...]
    timed_out: bool
    sent_at: float | None
    ready_at: float | None
    restarts: int
    needs: tuple[str, ...] = ()
    milestones: Milestones = Milestones()
    source: str = ""

    @property
    def ready_after(self) -> float | None:
        if self.ready_at is None or self.sent_at is None:
            return None
        return self.ready_at - self.sent_at


class StageTiming(NamedTuple):
    """Server times; `ready_at`: all nodes Ready for the first time; `done_at`: stable. `wall`: started to ready."""

    stage: Stage
    started_at: float | None
    ready_at: float | None
    done_at: float | None

    @property
    def wall(self) -> float | None:
        if self.started_at is None or self.ready_at is None:
            return None
        return self.ready_at - self.started_at


class LogTail(NamedTuple):
    node: str
    pod: str
    container: str
    previous: bool
    lines: tuple[str, ...]


class EventLine(NamedTuple):
    """One Kubernetes event about a failing node's objects; `at`: its last occurrence, server time."""

    node: str
    at: float
    subject: str
    reason: str
    message: str
    times: int


@dataclass(frozen=True, slots=True)
class RolloutResult:
    """How a rollout ended. `causes`: one per independent cause, in the order to print; `pruned`: "" or why not; what is
    deleted and not gone yet is not among them, but in a warning.

    `events`: for every node that shows a cause its last `MOST_EVENTS`, oldest first.
    """

    outcome: Outcome
    started: float
    ended: float
    nodes: Mapping[str, NodeResult]
    causes: tuple[diagnosis.RootCause, ...]
    logs: tuple[LogTail, ...]
    stages: tuple[StageTiming, ...]
    warnings: tuple[str, ...]
    pruned: Mapping[ObjectRef, str]
    events: tuple[EventLine, ...] = ()
    requests: int = 0

    @property
    def seconds(self) -> float:
        return self.ended - self.started

    def count(self, status: Status) -> int:
        return sum(node.status is status for node in self.nodes.values())

    def logs_of(self, cause: diagnosis.RootCause) -> tuple[LogTail, ...]:
        return tuple(tail for tail in self.logs if tail.node in cause.members)

    def events_of(self, cause: diagnosis.RootCause) -> tuple[EventLine, ...]:
        return tuple(event for event in self.events if event.node in cause.members)


def result(rollout: Rollout, *, requests: int = 0) -> RolloutResult:
    """The result of a finished rollout. Raises ValueError while it still runs."""
    if rollout.outcome is None or rollout.ended is None:
        raise ValueError("the rollout has not finished")
    succeeded, is_stale = rollout.outcome is Outcome.SUCCEEDED, _is_stale(rollout)
    found = () if succeeded or is_stale else diagnosis.reported(causes(rollout))
    return RolloutResult(
        outcome=rollout.outcome,
        started=rollout.started,
        ended=rollout.ended,
        nodes={name: _node_result(rollout, state) for name, state in rollout.nodes.items()},
        causes=found,
        logs=tuple(LogTail(*key, lines) for key, lines in sorted(rollout.log_tails.items())),
        stages=tuple(
            StageTiming(stage.stage, stage.started_at, stage.ready_at, stage.done_at)
            for stage in rollout.stages.values()
        ),
        warnings=(*_warnings(rollout), *([STALE] if is_stale else [])),
        pruned=dict(rollout.pruned),
        events=tuple(line for cause in found for name in cause.members for line in _events(rollout, name)),
        requests=requests,
    )


STALE = "API server: it no longer answers; what is not ready is told as it was last seen, so no cause is named"


def _is_stale(rollout: Rollout) -> bool:
    """Whether the deadline passed with the API server silent: what was seen last is no cause."""
    return rollout.outcome is Outcome.UNREACHABLE and bool(rollout.timed_out) and not rollout.failed


def _events(rollout: Rollout, name: str) -> list[EventLine]:
    seen = observe(rollout, rollout.nodes[name])
    recent = sorted(seen.events, key=event_time)[-MOST_EVENTS:]
    return [
        EventLine(
            name,
            event_time(event),
            f"{event.involved_object.kind.lower()}/{event.involved_object.name}",
            event.reason,
            one_line(event.message),
            event.count or 1,
        )
        for event in recent
    ]


def _node_result(rollout: Rollout, state: NodeState) -> NodeResult:
    return NodeResult(
        name=state.name,
        ref=state.node.ref,
        stage=state.node.stage,
        action=state.step.action,
        status=_status(state),
        verdict=state.verdict,
        message=state.message,
        evidence=state.evidence,
        timed_out=state.timed_out,
        sent_at=state.sent_at,
        ready_at=state.ready_at,
        restarts=sum(state.judgement.restarts.values()),
        needs=tuple(sorted(state.node.needs)),
        milestones=_milestones(rollout, state),
        source=state.node.manifest.source,
    )


def _milestones(rollout: Rollout, state: NodeState) -> Milestones:
    live = rollout.world.of(state.node.ref) if state.node.is_workload else None
    return Milestones() if live is None else milestones(rollout.world.children(live), state.sent_at)


def _status(state: NodeState) -> Status:
    if state.phase is Phase.UNKNOWN:
        return Status.UNKNOWN
    if state.phase is Phase.REJECTED or state.is_failed:
        return Status.FAILED
    if state.phase is Phase.WAITING:
        return Status.SKIPPED
    if state.phase in (Phase.FOUND, Phase.DONE):
        return Status.UNCHANGED
    return Status.FAILED if state.timed_out else Status.APPLIED


def _warnings(rollout: Rollout) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for state in rollout.nodes.values():
        if not all(rollout.nodes[name].is_applied for name in state.node.relies):
            continue  # a Service whose workload was never sent has nothing to be warned of
        for warning in state.judgement.warnings:
            found[f"{state.name}: {warning}"] = None
    for ref, holder in rollout.leaving.items():
        found[f"{ref}: left the render, and is still being deleted: {holder}"] = None
    for orphan in rollout.plan.orphans:
        if orphan.kept:
            found[f"{orphan.ref} left the render but stays: {orphan.kept}"] = None
    if rollout.unwatched:
        found[
            f"this machine: it slept or was held up, so nobody looked for {rollout.unwatched:.0f} s; what was waited"
            " for was given that time again"
        ] = None
    if rollout.width_reason:
        found[f"fewer workloads were started at one time: {rollout.width_reason}"] = None
    return tuple(found)
