"""Time in which nobody looked at the cluster. What was not seen must count neither for a node nor against it."""

from __future__ import annotations

from bakery_ops.rules.rollout.judging import mark
from bakery_ops.rules.rollout.state import Rollout

GRACE = 60.0
"""Seconds that a stage is left with at least: its networks, nodes and streams may have slept as well."""


def bridge(rollout: Rollout, seconds: float) -> None:
    """Go on after so many seconds of which nothing is known.

    Deadlines stood still. What has to be seen at both ends of a time (hold times, standing still, stability) begins
    anew, for it may have gone away in between. Nothing counts as seen until its stream has been listed anew.
    """
    rollout.unwatched += seconds
    rollout.synced.clear()
    _move_deadlines(rollout, seconds)
    rollout.settle_at = None
    for stage in rollout.stages.values():
        stage.stable_at = None
    for state in rollout.nodes.values():
        state.memory = state.memory.resumed(rollout.now)
        if state.own_failure is None:
            state.progress_at = None
    mark(rollout, rollout.nodes)


def _move_deadlines(rollout: Rollout, seconds: float) -> None:
    for stage in rollout.stages.values():
        if stage.deadline is not None:
            stage.deadline = max(stage.deadline + seconds, rollout.now + GRACE)
            rollout.timers.at(stage.deadline, "")
    if rollout.prune_started:
        rollout.prune_by += seconds
        rollout.timers.at(rollout.prune_by, "")
    if rollout.closing is not None:
        rollout.closed_at += seconds
        rollout.closing_by += seconds
        rollout.timers.at(rollout.closed_at + rollout.options.log_grace, "")
        rollout.timers.at(rollout.closing_by, "")
