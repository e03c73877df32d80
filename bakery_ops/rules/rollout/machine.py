"""The rollout machine: begin(...) and step(rollout, event), each returning the commands to carry out.

Deterministic and free of I/O: the same events in the same order give the same commands, so a ten-minute deploy is
tested in a millisecond, and a recorded run can be replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bakery_ops.model.graph import Graph
from bakery_ops.model.live import Event as ClusterEvent
from bakery_ops.model.live import LiveObject, ref_of
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.words import without_credentials
from bakery_ops.rules import readiness
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout import gaps, homes, width
from bakery_ops.rules.rollout.admission import admit, send
from bakery_ops.rules.rollout.ending import close, conclude
from bakery_ops.rules.rollout.events import (
    ApplyAccepted,
    ApplyDropped,
    ApplyRejected,
    Command,
    Event,
    InterruptRequested,
    LeaseLost,
    LogTailArrived,
    ObjectChanged,
    ObjectDeleted,
    Outcome,
    Pruned,
    ReadObjects,
    StreamLost,
    Synced,
    TimeJumped,
    TimePassed,
    WakeAt,
)
from bakery_ops.rules.rollout.judging import judge_dirty, mark
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.progress import log_grew
from bakery_ops.rules.rollout.state import Judge, Phase, Rollout, new_rollout, streams_of
from bakery_ops.rules.rollout.world import belongs_elsewhere
from bakery_ops.rules.verdict import Evidence, EvidenceClass

INTERRUPT_GRACE = 10.0
DROP_PAUSE = 1.0


def begin(
    graph: Graph,
    plan: Plan,
    options: Options,
    at: float,
    *,
    facts: ClusterFacts | None = None,
    snapshot: Iterable[LiveObject] = (),
    synced: Iterable[str] = (),
    judge: Judge | None = None,
) -> tuple[Rollout, list[Command]]:
    """Start a rollout at server time `at`.

    Args:
        snapshot: Objects listed before the streams start; whatever the first full list of a streamed kind does not
            confirm is dropped again.
        synced: Kinds of which `snapshot` is a complete list; a verdict on them needs no stream. With nothing to write
            and everything Ready the first commands already contain Finish.
        judge: The readiness rules (`rules.readiness.judge`); a parameter so that the machine can be tested apart.
    Returns: The rollout and its first commands. Raises nothing.
    """
    rollout = new_rollout(graph, plan, options, at, facts or ClusterFacts(), judge or readiness.judge)
    rollout.synced.update(synced)
    for live in snapshot:
        rollout.world.put(live, from_snapshot=True)
    mark(rollout, graph)
    return rollout, _turn(rollout)


def step(rollout: Rollout, event: Event) -> tuple[Rollout, list[Command]]:
    """Take in one event. After Finish, events change nothing and ask for nothing."""
    return steps(rollout, (event,))


def steps(rollout: Rollout, events: Iterable[Event]) -> tuple[Rollout, list[Command]]:
    """Take in a burst of events and judge once: what a pod went through between two looks does not matter."""
    if rollout.outcome is not None:
        return rollout, []
    for event in events:
        rollout.now = max(rollout.now, event.at)
        handler = _HANDLERS.get(type(event))
        if handler is None:
            raise TypeError(f"{type(event).__name__} is no event of a rollout")
        handler(rollout, event)
    mark(rollout, (name for name in rollout.timers.due(rollout.now) if name))
    return rollout, _turn(rollout)


def _turn(rollout: Rollout) -> list[Command]:
    """Judge what changed, start what may start, end if it is over, and say when to be woken."""
    unsettled = True
    while unsettled:
        judge_dirty(rollout)
        admit(rollout)
        conclude(rollout)
        # A stage that timed out gives its slots back, so others may start now; nothing else would wake them.
        unsettled = bool(rollout.dirty) or (rollout.admission_due and rollout.may_send)
    _reread(rollout)
    wake = rollout.timers.next
    if wake is not None and wake != rollout.timers.asked and rollout.outcome is None:
        rollout.timers.asked = wake
        rollout.commands.append(WakeAt(wake))
    commands, rollout.commands = rollout.commands, []
    return commands


def _time_passed(rollout: Rollout, event: TimePassed) -> None:
    rollout.timers.asked = None


def _time_jumped(rollout: Rollout, event: TimeJumped) -> None:
    gaps.bridge(rollout, event.seconds)


def _object_changed(rollout: Rollout, event: ObjectChanged) -> None:
    homes.told(rollout, ref_of(event.object))
    before = rollout.world.by_uid(event.object.metadata.uid)
    if rollout.world.put(event.object):
        if before is not None and belongs_elsewhere(before, event.object):
            _mark_affected(rollout, before)
        _mark_affected(rollout, event.object)


def _mark_affected(rollout: Rollout, live: LiveObject) -> None:
    """Mark the nodes whose verdict can depend on this object: found through indexes, never by a search."""
    affected = rollout.affected
    if isinstance(live, ClusterEvent):
        width.notice(rollout, live)
        subject = rollout.world.by_uid(live.involved_object.uid)
        if subject is not None:
            _mark_affected(rollout, subject)
        return
    mark(rollout, affected.of(ref_of(live), live))
    for owner in rollout.world.owners(live):
        mark(rollout, affected.of(ref_of(owner), owner))


def _object_deleted(rollout: Rollout, event: ObjectDeleted) -> None:
    live = rollout.world.by_uid(event.uid) if event.uid else rollout.world.of(event.ref)
    if live is not None:
        _mark_affected(rollout, live)
    rollout.world.remove(event.uid or (live.metadata.uid if live else ""), for_good=bool(event.uid))
    homes.told(rollout, event.ref)
    node = rollout.graph.by_ref(event.ref)
    if node is not None:
        state = rollout.nodes[node.name]
        mark(rollout, (node.name,))
        if state.phase is not Phase.TERMINATING:
            homes.doubt(rollout, event.ref.namespace)
        if state.phase is Phase.TERMINATING and rollout.world.of(event.ref) is None and rollout.writes_allowed:
            send(rollout, state)


def _synced(rollout: Rollout, event: Synced) -> None:
    rollout.synced.add(event.kind)
    for uid in rollout.world.unconfirmed(event.kind):
        live = rollout.world.by_uid(uid)
        if live is not None:
            _mark_affected(rollout, live)
            rollout.world.remove(uid)
    # Hold times that ended while the stream was away are valid again only now.
    unready = (rollout.nodes[name] for stage in rollout.stages.values() for name in stage.not_ready)
    mark(rollout, (state.name for state in unready if event.kind in streams_of(state)))


def _stream_lost(rollout: Rollout, event: StreamLost) -> None:
    rollout.synced.discard(event.kind)


def _apply_accepted(rollout: Rollout, event: ApplyAccepted) -> None:
    state = rollout.nodes[event.node]
    rollout.in_flight.discard(event.node)
    state.applied = event.applied
    state.phase = Phase.APPLIED
    if event.live is not None:
        rollout.world.put(event.live)
        if event.live.metadata.deletion_timestamp and event.live.metadata.uid == event.applied.uid:
            state.phase = Phase.TERMINATING
            if rollout.world.is_gone(event.applied.uid) and rollout.writes_allowed:
                send(rollout, state)
    mark(rollout, (event.node, *rollout.dependents.get(event.node, ())))


def _apply_rejected(rollout: Rollout, event: ApplyRejected) -> None:
    state = rollout.nodes[event.node]
    rollout.in_flight.discard(event.node)
    state.phase = Phase.UNKNOWN if event.unknown else Phase.REJECTED
    state.own_failure = Evidence(
        EvidenceClass.PERMANENT,
        event.reason,
        without_credentials(event.message),
        str(state.node.ref),
        since=rollout.now,
        fails_at=rollout.now,
    )
    if event.reason == homes.TERMINATING:
        homes.doubt(rollout, state.node.ref.namespace)
    mark(rollout, (event.node,))


def _apply_dropped(rollout: Rollout, event: ApplyDropped) -> None:
    state = rollout.nodes[event.node]
    rollout.in_flight.discard(event.node)
    state.phase = Phase.WAITING
    state.sent_at = None
    # Why writing stopped is told by another event. Should it only have faltered, it is tried again.
    rollout.paused_until = rollout.now + DROP_PAUSE
    rollout.timers.at(rollout.paused_until, "")
    mark(rollout, (event.node,))


def _log_tail_arrived(rollout: Rollout, event: LogTailArrived) -> None:
    pod = event.subject.removeprefix("pod/")
    key = (event.node, pod, event.container, event.previous)
    rollout.logs_pending.discard(key)
    state = rollout.nodes[event.node]
    if event.lines:
        rollout.log_tails[key] = event.lines
        rollout.touched.add(event.node)
        live = rollout.world.of(ObjectRef("", "Pod", state.node.ref.namespace, pod))
        if live is not None:
            state.logs[live.metadata.uid, event.container] = event.lines
    if state.polled_at and not event.previous:
        log_grew(rollout, state, event.lines)
    mark(rollout, (event.node,))


def _pruned(rollout: Rollout, event: Pruned) -> None:
    rollout.prune_pending.discard(event.ref)
    if event.holder:
        rollout.leaving[event.ref] = event.holder
    else:
        rollout.pruned[event.ref] = f"{event.reason}: {event.message}" if event.reason else ""


def _interrupted(rollout: Rollout, event: InterruptRequested) -> None:
    if rollout.closing not in (Outcome.INTERRUPTED, Outcome.LOCK_LOST):
        close(rollout, Outcome.INTERRUPTED, grace=INTERRUPT_GRACE)


def _lease_lost(rollout: Rollout, event: LeaseLost) -> None:
    """Somebody else may be writing by now: nothing more is sent, not even the journal."""
    rollout.lock_holder = event.holder
    if not event.holder:
        homes.doubt_all(rollout)
    close(rollout, Outcome.LOCK_LOST, grace=INTERRUPT_GRACE)


_HANDLERS: dict[type[Event], Callable[[Rollout, Any], None]] = {
    TimePassed: _time_passed,
    TimeJumped: _time_jumped,
    ObjectChanged: _object_changed,
    ObjectDeleted: _object_deleted,
    Synced: _synced,
    StreamLost: _stream_lost,
    ApplyAccepted: _apply_accepted,
    ApplyRejected: _apply_rejected,
    ApplyDropped: _apply_dropped,
    LogTailArrived: _log_tail_arrived,
    Pruned: _pruned,
    InterruptRequested: _interrupted,
    LeaseLost: _lease_lost,
}


def _reread(rollout: Rollout) -> None:
    """Kinds without a stream are read again while their nodes are not Ready: one request per kind and interval."""
    if rollout.unseen and rollout.now >= rollout.reread_at and rollout.writes_allowed:
        rollout.reread_at = rollout.now + rollout.reread_after
        rollout.reread_after = min(rollout.reread_after * 1.5, rollout.options.reread_at_most)
        rollout.timers.at(rollout.reread_at, "")
        alike: dict[tuple[str, str, str], list[str]] = {}
        for name in sorted(rollout.unseen):
            ref = rollout.nodes[name].node.ref
            alike.setdefault((ref.group, ref.kind, ref.namespace), []).append(name)
        rollout.commands.extend(ReadObjects(tuple(names)) for names in alike.values())
