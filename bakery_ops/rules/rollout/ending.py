"""When a rollout is over, with which outcome, and what is still waited for before it may say so."""

from __future__ import annotations

from bakery_ops.model.live import Job, Pod
from bakery_ops.rules.rollout import homes, stages
from bakery_ops.rules.rollout.admission import barrier
from bakery_ops.rules.rollout.events import Finish, Outcome, Prune, SuspendJob
from bakery_ops.rules.rollout.options import FailMode
from bakery_ops.rules.rollout.state import Phase, Rollout, is_synced
from bakery_ops.rules.verdict import Verdict


def conclude(rollout: Rollout) -> None:
    """Decide whether to end; once ending, finish as soon as nothing is awaited any more."""
    if rollout.outcome is not None:
        return
    if rollout.closing is None:
        stages.check(rollout)
        _decide(rollout)
    if rollout.closing is not None and not _awaited(rollout):
        finish(rollout, rollout.closing)


def close(rollout: Rollout, outcome: Outcome, *, grace: float) -> None:
    """Start nothing more; finish when all answers are in, or after `grace` seconds."""
    rollout.closing = outcome
    rollout.closing_by = rollout.now + grace
    rollout.timers.at(rollout.closing_by, "")
    rollout.timers.at(rollout.now + rollout.options.log_grace, "")
    rollout.closed_at = rollout.now


def finish(rollout: Rollout, outcome: Outcome) -> None:
    """The last commands. Nodes whose answers never came are unknown, and unknown never ends as success."""
    for name in sorted(rollout.in_flight):
        rollout.nodes[name].phase = Phase.UNKNOWN
    if rollout.in_flight and outcome is Outcome.SUCCEEDED:
        outcome = Outcome.UNREACHABLE
    if outcome is Outcome.LOCK_LOST and homes.ending(rollout):
        outcome = Outcome.FAILED  # nobody took the lock: it went with its Namespace
    rollout.outcome = outcome
    rollout.ended = rollout.now
    if outcome not in (Outcome.INTERRUPTED, Outcome.LOCK_LOST, Outcome.SUCCEEDED):
        rollout.commands.extend(_suspensions(rollout))
    rollout.commands.append(Finish(outcome))


def _decide(rollout: Rollout) -> None:
    options = rollout.options
    if rollout.failed:
        if rollout.settle_at is None:
            rollout.settle_at = rollout.now + options.settle
            rollout.timers.at(rollout.settle_at, "")
        if _has_failed_enough(rollout):
            close(rollout, _failure(rollout), grace=options.answer_grace)
        return
    rollout.settle_at = None
    if rollout.timed_out:
        if options.fail_mode is not FailMode.NEVER or not pending(rollout):
            close(rollout, _lateness(rollout), grace=options.answer_grace)
        return
    if all(stage.done_at is not None for stage in rollout.stages.values()):
        _prune_or_succeed(rollout)


def _lateness(rollout: Rollout) -> Outcome:
    """Timed out, unless no stream shows any of it: then the API server is what did not come in time."""
    seen = any(is_synced(rollout, rollout.nodes[name]) for name in rollout.timed_out)
    return Outcome.TIMED_OUT if seen else Outcome.UNREACHABLE


def _has_failed_enough(rollout: Rollout) -> bool:
    mode = rollout.options.fail_mode
    if mode is FailMode.FAST or not pending(rollout):
        return True
    if mode is FailMode.NEVER:
        return False
    return rollout.settle_at is not None and (rollout.now >= rollout.settle_at or bool(rollout.timed_out))


def _failure(rollout: Rollout) -> Outcome:
    """Failed, unless all we know is that the server did not tell what became of a write."""
    if all(rollout.nodes[name].phase is Phase.UNKNOWN for name in rollout.failed):
        return Outcome.UNREACHABLE
    return Outcome.FAILED


def pending(rollout: Rollout) -> set[str]:
    """The nodes that may still come to an end of their own: not Ready, not given up, not behind one that is."""
    limit = barrier(rollout)
    given_up = {
        name for stage in rollout.stages.values() for name in stage.not_ready if _is_given_up(rollout, name, limit)
    }
    queue = list(given_up)
    while queue:
        for name in rollout.dependents.get(queue.pop(), ()):
            state = rollout.nodes[name]
            if name not in given_up and state.verdict is Verdict.BLOCKED and state.edges & given_up:
                given_up.add(name)
                queue.append(name)
    return {name for stage in rollout.stages.values() for name in stage.not_ready} - given_up


def _is_given_up(rollout: Rollout, name: str, limit: float) -> bool:
    state = rollout.nodes[name]
    too_late = state.phase is Phase.WAITING and state.node.stage.order > limit
    return state.is_failed or state.timed_out or too_late


def _prune_or_succeed(rollout: Rollout) -> None:
    """Orphans go only after everything new is Ready and stable."""
    if not rollout.prune_started:
        rollout.prune_started = True
        for orphan in rollout.plan.prune:
            rollout.prune_pending.add(orphan.ref)
            rollout.commands.append(Prune(orphan.ref, orphan.uid))
        rollout.prune_by = rollout.now + rollout.options.prune_deadline
        if rollout.prune_pending:
            rollout.timers.at(rollout.prune_by, "")
    if not rollout.prune_pending:
        refused = any(rollout.pruned.values())
        close(rollout, Outcome.FAILED if refused else Outcome.SUCCEEDED, grace=0.0)
    elif rollout.now >= rollout.prune_by:
        close(rollout, Outcome.UNREACHABLE, grace=0.0)


def _awaited(rollout: Rollout) -> bool:
    if rollout.now >= rollout.closing_by:
        return False
    is_early = rollout.now < rollout.closed_at + rollout.options.log_grace
    return bool(rollout.in_flight or (is_early and (rollout.logs_pending or rollout.doubted)))


def _suspensions(rollout: Rollout) -> list[SuspendJob]:
    """Failed Jobs that the cluster would still start: their image may appear after we have reported failure.

    A Job with a container running is left alone: to stop a migration half-way is worse than to let it end.
    """
    found = []
    for name in sorted(rollout.failed):
        state = rollout.nodes[name]
        live = rollout.world.of(state.node.ref)
        if state.phase is Phase.APPLIED and isinstance(live, Job) and _may_still_start(rollout, live):
            found.append(SuspendJob(name, live.metadata.uid))
    return found


def _may_still_start(rollout: Rollout, job: Job) -> bool:
    if any(item.type in _JOB_ENDS and item.status == "True" for item in job.status.conditions):
        return False
    pods = [child for child in rollout.world.children(job) if isinstance(child, Pod)]
    statuses = [
        status for pod in pods for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    ]
    return not any(status.state.running for status in statuses)


_JOB_ENDS = frozenset({"Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"})
