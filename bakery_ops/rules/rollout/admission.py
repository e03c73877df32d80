"""Who may start now: dependencies Ready, a free slot, and no failure that ends this stage or an earlier one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from bakery_ops.rules.plan import ANEW
from bakery_ops.rules.rollout import stages
from bakery_ops.rules.rollout.events import Apply, Command, ReplaceJob
from bakery_ops.rules.rollout.judging import mark
from bakery_ops.rules.rollout.options import FailMode
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout


def admit(rollout: Rollout) -> None:
    """Send every waiting node whose time has come; the longest chains of dependents first when slots are short."""
    if not rollout.admission_due or not rollout.may_send:
        return
    rollout.admission_due = False
    limit = barrier(rollout)

    def may_start(name: str) -> bool:
        state = rollout.nodes[name]
        return state.node.stage.order <= limit and not state.timed_out

    free = [name for name in rollout.admissible.free if may_start(name)]
    starting = rollout.admissible.first(rollout.width - rollout.slots, may_start)
    by_priority = rollout.priority.__getitem__
    for name in (*_kinds_in_turn(rollout, sorted(free, key=by_priority)), *sorted(starting, key=by_priority)):
        send(rollout, rollout.nodes[name])


def _kinds_in_turn(rollout: Rollout, names: Iterable[str]) -> list[str]:
    """One of each kind, then the next of each: the API server creates Services one after the other, for it allocates
    their addresses, so a run of them would keep every connection waiting while all else could go on."""
    place: Counter[str] = Counter()
    turns: list[tuple[int, str]] = []
    for name in names:
        kind = rollout.nodes[name].node.ref.kind
        turns.append((place[kind], name))
        place[kind] += 1
    return [name for _, name in sorted(turns, key=lambda turn: turn[0])]


def barrier(rollout: Rollout) -> float:
    """The order of the last stage that may still start nodes: after a failure nothing of a later stage does."""
    failed = rollout.failed | rollout.timed_out
    if rollout.options.fail_mode is FailMode.NEVER or not failed:
        return float("inf")
    return min(rollout.nodes[name].node.stage.order for name in failed)


def send(rollout: Rollout, state: NodeState) -> None:
    """Emit the write for one node and take its slot."""
    replace = state.step.action in ANEW and state.phase is Phase.WAITING
    command: Command = ReplaceJob(state.name, state.step.uid) if replace else Apply(state.name)
    rollout.commands.append(command)
    rollout.admissible.discard(state.name)
    rollout.in_flight.add(state.name)
    state.phase = Phase.APPLYING
    if state.sent_at is None:
        state.sent_at = rollout.now
    stages.start(rollout, state)
    if state.node.is_workload and not state.holds_slot:
        state.holds_slot = True
        rollout.slots += 1
    mark(rollout, (state.name,))
