"""The no-progress timer: a node that stands still for too long has failed, with the last reason that was seen."""

from __future__ import annotations

from bakery_ops.rules.rollout.logs import poll_job_log
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout, Standing
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Verdict

_TIMED = frozenset({Phase.APPLIED, Phase.FOUND, Phase.TERMINATING})


def checked(rollout: Rollout, state: NodeState, standing: Standing, *, synced: bool) -> Standing:
    """`standing`, or Failed when the node's own no-progress timer has ended.

    The timer runs while the node is not Ready and nothing but itself holds it up. `synced`: without its streams a node
    cannot show progress, so its end waits for them.
    """
    if not _runs(state, standing):
        if standing.verdict is not Verdict.FAILED:
            state.progress_at = None
            state.own_failure = None
        return standing
    if state.progress_at is None or state.judgement.progress != state.progress:
        state.progress = state.judgement.progress
        state.progress_at = rollout.now
        state.own_failure = None
    end = state.progress_at + rollout.options.no_progress
    if rollout.now < end:
        rollout.timers.at(end, state.name)
        poll_job_log(rollout, state, quiet_since=state.progress_at)
        return standing
    if state.own_failure is None:
        if not synced:
            return standing
        state.own_failure = _stuck(rollout, state, standing)
    return standing._replace(verdict=Verdict.FAILED, evidence=(state.own_failure, *standing.evidence[1:]))


def log_grew(rollout: Rollout, state: NodeState, lines: tuple[str, ...]) -> None:
    """New log lines of a running Job are progress, unless a restart wrote them."""
    if lines != state.log_seen and not any(state.judgement.restarts.values()):
        state.progress_at = None
    state.log_seen = lines
    rollout.dirty[state.name] = None


def _runs(state: NodeState, standing: Standing) -> bool:
    if state.phase not in _TIMED:
        return False
    if standing.verdict is Verdict.BLOCKED:
        return not standing.edges
    return standing.verdict in (Verdict.PROGRESSING, Verdict.FAILING)


def _stuck(rollout: Rollout, state: NodeState, standing: Standing) -> Evidence:
    """What the node is told to have failed of: its worst evidence, else its last message."""
    if standing.evidence:
        return standing.evidence[0]
    waits = state.node.waits
    ended = [name for name in state.judgement.waiting_for if name in waits]
    if ended:
        message = f"wait-for-{ended[0]} still running although {waits[ended[0]]} is Ready"
    else:
        seconds = rollout.options.no_progress
        message = f"{standing.message or 'no status'}, and nothing moved for {seconds:g} s"
    return Evidence(
        EvidenceClass.TRANSIENT,
        "NoProgress",
        message,
        str(state.node.ref),
        since=state.progress_at or rollout.now,
        fails_at=rollout.now,
    )


def stranger(state: NodeState, name: str, at: float) -> Evidence:
    """Evidence of an init container that waits for something which is no node of this deploy."""
    message = f"wait-for-{name} is running, but {name} is not part of this deploy"
    return Evidence(
        EvidenceClass.TRANSIENT, "UnknownDependency", message, str(state.node.ref), f"wait-for-{name}", since=at
    )
