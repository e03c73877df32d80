"""The timers of a stage: its deadline, and the stability window after its last node became Ready."""

from __future__ import annotations

from collections.abc import Iterable

from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout, StageState, is_synced

# What can restart after it was Ready; a completed Job cannot.
_LONG_RUNNING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Pod"})


SIGHT_GRACE = 60.0
"""Seconds that a stability window is waited for at least, when its end cannot be seen: as long as streams need."""


def start(rollout: Rollout, state: NodeState) -> None:
    """The stage of the first node that could start has begun; from now on its deadline stands."""
    stage = rollout.stages[state.node.stage]
    if stage.started_at is None:
        stage.started_at = rollout.now
        _set_deadline(rollout, stage)


def _set_deadline(rollout: Rollout, stage: StageState) -> None:
    stage.deadline = rollout.now + rollout.options.stage_deadline
    rollout.timers.at(stage.deadline, "")


def flipped(rollout: Rollout, state: NodeState, *, is_ready: bool) -> None:
    """A member became Ready, or stopped being so."""
    stage = rollout.stages[state.node.stage]
    if is_ready:
        stage.not_ready.discard(state.name)
        return
    stage.not_ready.add(state.name)
    stage.stable_at = None
    if stage.done_at is not None:
        stage.done_at = None
        if not stage.extended:  # one more deadline, not one per relapse: a node that flaps must not run for ever
            stage.extended = True
            _set_deadline(rollout, stage)


def check(rollout: Rollout) -> None:
    """Close windows and deadlines that have ended by now."""
    for stage in rollout.stages.values():
        if stage.done_at is not None:
            continue
        if stage.not_ready:
            if stage.deadline is not None and rollout.now >= stage.deadline:
                _time_out(rollout, stage.not_ready)
        elif stage.stable_at is None:
            _open_window(rollout, stage)
        elif rollout.now >= stage.stable_at:
            _close_window(rollout, stage)


def _time_out(rollout: Rollout, names: Iterable[str]) -> None:
    for name in names:
        state = rollout.nodes[name]
        if not state.timed_out and not state.is_failed:
            state.timed_out = True
            rollout.timed_out.add(name)
            rollout.touched.add(name)
            rollout.dirty[name] = None


def _open_window(rollout: Rollout, stage: StageState) -> None:
    if stage.ready_at is None:
        stage.ready_at = rollout.now
    if not _watched(rollout, stage):
        stage.done_at = rollout.now
        return
    stage.restarts = _restarts(rollout, stage)
    stage.stable_at = rollout.now + rollout.options.stability
    rollout.timers.at(stage.stable_at, "")


def _close_window(rollout: Rollout, stage: StageState) -> None:
    watched = _watched(rollout, stage)
    unseen = [state.name for state in watched if not is_synced(rollout, state)]
    if unseen:  # what is not seen is not stable; the next Synced asks again, if one comes
        _wait_for_sight(rollout, stage, unseen)
        return
    counts = _restarts(rollout, stage)
    if any(count > stage.restarts.get(container, 0) for container, count in counts.items()):
        _open_window(rollout, stage)
    else:
        stage.done_at = rollout.now


def _wait_for_sight(rollout: Rollout, stage: StageState, unseen: Iterable[str]) -> None:
    by = max(stage.deadline or 0.0, (stage.stable_at or 0.0) + SIGHT_GRACE)
    if rollout.now >= by:
        _time_out(rollout, unseen)
    else:
        rollout.timers.at(by, "")


def _watched(rollout: Rollout, stage: StageState) -> list[NodeState]:
    """The members whose stability has to be proved: started by this run, and able to restart."""
    states = (rollout.nodes[name] for name in stage.members)
    return [state for state in states if state.phase is Phase.APPLIED and state.node.ref.kind in _LONG_RUNNING]


def _restarts(rollout: Rollout, stage: StageState) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for state in _watched(rollout, stage):
        counts.update(state.judgement.restarts)
    return counts
