"""From what is seen of a node to its verdict, and what follows at once when the verdict changes."""

from __future__ import annotations

from collections.abc import Iterable

from bakery_ops.model.live import LiveObject
from bakery_ops.rules.readiness.observation import Observation
from bakery_ops.rules.rollout import homes, progress, stages, width
from bakery_ops.rules.rollout.events import WriteJournal
from bakery_ops.rules.rollout.logs import want_logs
from bakery_ops.rules.rollout.state import NodeState, Phase, Rollout, Standing, is_synced
from bakery_ops.rules.verdict import Judgement, Verdict


def judge_dirty(rollout: Rollout) -> None:
    """Judge every node marked dirty; nodes whose upstream changed with it are marked on the way."""
    while rollout.dirty:
        name = next(iter(rollout.dirty))
        del rollout.dirty[name]
        _refresh(rollout, rollout.nodes[name])


def mark(rollout: Rollout, names: Iterable[str]) -> None:
    for name in names:
        rollout.dirty[name] = None


def _refresh(rollout: Rollout, state: NodeState) -> None:
    rollout.rows.pop(state.name, None)
    if state.phase in _JUDGED:
        state.judgement, state.memory = rollout.judge(observe(rollout, state), state.memory)
        if (wake_at := state.judgement.wake_at) is not None:
            # A rule that asks to be woken in the past would spin the machine.
            rollout.timers.at(wake_at if wake_at > rollout.now else rollout.now + 1.0, state.name)
    standing = progress.checked(rollout, state, _stand(rollout, state), synced=is_synced(rollout, state))
    _settle(rollout, state, standing)
    if standing.verdict in (Verdict.FAILING, Verdict.FAILED) and state.phase in _JUDGED:
        want_logs(rollout, state)
    if state.phase is Phase.FOUND and standing.verdict is not Verdict.READY and not unready(rollout, state.node.needs):
        stages.start(rollout, state)


_JUDGED = frozenset({Phase.APPLIED, Phase.FOUND})
_IN_CLUSTER = frozenset({Phase.APPLIED, Phase.FOUND, Phase.TERMINATING})


def observe(rollout: Rollout, state: NodeState) -> Observation:
    """What the readiness rules may look at for this node, now."""
    world = rollout.world
    live = world.of(state.node.ref)
    children = world.children(live, state.claim_templates) if live is not None else []
    since = state.applied.at if state.applied else rollout.started
    watched = [live, *children] if live is not None else []
    return Observation(
        node=state.node,
        applied=state.applied,
        started=rollout.started,
        live=live,
        children=children,
        related=_related(rollout, state),
        events=world.events(watched, since),
        cluster=rollout.facts,
        dependencies_ready=all(rollout.nodes[name].is_ready for name in state.node.needs),
        now=rollout.now,
        synced=is_synced(rollout, state),
        logs=state.logs,
    )


def _related(rollout: Rollout, state: NodeState) -> list[LiveObject]:
    """The objects the node relies on, and the EndpointSlices of every Service among it and them."""
    services = [state.node.ref] if state.node.ref.kind == "Service" else []
    found: list[LiveObject] = []
    for name in sorted(state.node.relies):
        ref = rollout.nodes[name].node.ref
        live = rollout.world.of(ref)
        if live is not None:
            found.append(live)
        if ref.kind == "Service":
            services.append(ref)
    for ref in services:
        found.extend(rollout.world.slices(ref.namespace, ref.name))
    return found


def _stand(rollout: Rollout, state: NodeState) -> Standing:
    """The verdict from where our own work on the node stands; the judge's word counts once it is in the cluster."""
    if home := homes.ending(rollout, state):
        return Standing(Verdict.BLOCKED, "its namespace is being deleted", home)
    if state.phase in (Phase.REJECTED, Phase.UNKNOWN) and state.own_failure:
        return Standing(Verdict.FAILED, state.own_failure.message, evidence=(state.own_failure,))
    if state.phase is Phase.DONE:
        return Standing(Verdict.READY, state.step.reason)
    if state.phase is Phase.WAITING:
        return _waiting(rollout, state)
    if state.phase is Phase.APPLYING:
        return Standing(Verdict.PROGRESSING, "being applied")
    if state.phase is Phase.TERMINATING:
        return Standing(Verdict.PROGRESSING, "waits until the old object is gone")
    return _judged(rollout, state, state.judgement)


def _waiting(rollout: Rollout, state: NodeState) -> Standing:
    needs = unready(rollout, state.node.needs)
    after = frozenset(name for name in state.node.after if not rollout.nodes[name].is_applied)
    edges = needs | after
    if edges:
        return Standing(Verdict.BLOCKED, f"waits for {_few(edges)}", edges)
    return Standing(Verdict.PROGRESSING, "waits for a free slot")


def _few(names: frozenset[str]) -> str:
    """Three of them, workloads first, for their names have no kind; and how many there are besides."""
    shown = sorted(names, key=lambda name: ("/" in name, name))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return f"{', '.join(shown[:3])}{more}"


def _judged(rollout: Rollout, state: NodeState, judgement: Judgement) -> Standing:
    """The judge's verdict with the edges of section 5, step 2: who holds this node up."""
    verdict, message = judgement.verdict, judgement.message
    if verdict is Verdict.READY:
        return Standing(verdict, message)
    waits = state.node.waits
    known = frozenset(waits[name] for name in judgement.waiting_for if name in waits)
    edges = unready(rollout, known | state.node.relies | (frozenset() if known else state.node.needs))
    evidence = judgement.evidence
    if judgement.held and verdict is Verdict.BLOCKED:
        return Standing(verdict, message)
    if verdict in (Verdict.BLOCKED, Verdict.PROGRESSING):
        unknown = [name for name in judgement.waiting_for if name not in waits]
        if unknown and not edges:
            return Standing(
                Verdict.FAILING,
                message,
                evidence=(progress.stranger(state, unknown[0], state.progress_at or rollout.now),),
            )
        verdict = Verdict.BLOCKED if edges else Verdict.PROGRESSING
    return Standing(verdict, message, edges, evidence)


def unready(rollout: Rollout, names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if not rollout.nodes[name].is_ready)


def _settle(rollout: Rollout, state: NodeState, standing: Standing) -> None:
    """Store the new standing, and tell everything that depends on it."""
    before, after = state.verdict, standing.verdict
    if state.node.ref.kind not in rollout.options.streamed:
        # A Service behind a workload that is not Ready changes through that workload's stream, not through its own.
        waits = after in (Verdict.PROGRESSING, Verdict.FAILING) and state.phase in _IN_CLUSTER
        (rollout.unseen.add if waits else rollout.unseen.discard)(state.name)
    if state.phase is Phase.WAITING and not standing.edges and state.name not in rollout.admissible:
        rollout.admissible.add(state.name, rollout.priority[state.name], needs_slot=state.node.is_workload)
        rollout.admission_due = True
    elif standing.edges:
        rollout.admissible.discard(state.name)
    if (before, state.message, state.edges, state.evidence) == standing:
        update_slot(rollout, state)
        return
    rollout.touched.add(state.name)
    if before is not after:
        state.since = rollout.now
    state.verdict, state.message, state.edges, state.evidence = standing
    (rollout.failed.add if after is Verdict.FAILED else rollout.failed.discard)(state.name)
    update_slot(rollout, state)
    if after is Verdict.FAILED and before is not after:
        _journal(rollout, state)
    if (before is Verdict.READY) is not (after is Verdict.READY):
        _flip(rollout, state, is_ready=after is Verdict.READY)


def _flip(rollout: Rollout, state: NodeState, *, is_ready: bool) -> None:
    stages.flipped(rollout, state, is_ready=is_ready)
    if is_ready:
        rollout.timed_out.discard(state.name)
        state.timed_out = False
        if state.ready_at is None:
            state.ready_at = rollout.now
            if state.node.is_workload and state.phase is Phase.APPLIED:
                width.grow(rollout)
        _journal(rollout, state)
    mark(rollout, rollout.dependents.get(state.name, ()))
    rollout.admission_due = True


def update_slot(rollout: Rollout, state: NodeState) -> None:
    """A workload holds a slot from its apply until it is Ready, or until it is given up."""
    holds = (
        state.node.is_workload
        and state.phase in (Phase.APPLYING, Phase.APPLIED, Phase.TERMINATING)
        and state.verdict not in (Verdict.READY, Verdict.FAILED)
        and not state.timed_out
    )
    if holds is not state.holds_slot:
        state.holds_slot = holds
        rollout.slots += 1 if holds else -1
        rollout.admission_due = True


def _journal(rollout: Rollout, state: NodeState) -> None:
    """Record what a rerun cannot read from the cluster: which Jobs completed, and how far the workloads came.

    Configuration stays out; the hash of a short Secret could be tried offline by whoever reads the journal.
    """
    verdict = state.verdict.value
    known = state.step.recorded and state.phase is not Phase.APPLIED
    if known or state.journalled == verdict or not rollout.writes_allowed or not state.node.is_workload:
        return
    if state.phase is Phase.FOUND and not state.node.ref.is_job:
        return  # we wrote nothing, so a rerun of an unchanged deploy writes nothing either
    if state.phase in (Phase.APPLIED, Phase.FOUND):
        state.journalled = verdict
        uid = state.applied.uid if state.applied else state.step.uid
        rollout.commands.append(WriteJournal(state.name, verdict, state.step.content_hash, uid))
