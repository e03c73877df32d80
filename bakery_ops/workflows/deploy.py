"""`deploy`: from a rendered platform to a verified one. Each step is one function; stopping early is the dry run.

gather (facts, live objects, journal) -> decide (capacity, plan) -> act (secrets, images, rollout) -> verify.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.words import unknown
from bakery_ops.rules import outages
from bakery_ops.rules.plan import Action, Plan, plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import DeployReport, VerifyReport
from bakery_ops.rules.rollout import width
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.options import STREAMED_KINDS
from bakery_ops.rules.rollout.result import RolloutResult, Status
from bakery_ops.workflows import definitions, preflight, rollout, unchanged
from bakery_ops.workflows.deploy_ports import Lock, Ports, Watchers, Wishes, as_planned
from bakery_ops.workflows.facts import with_brought
from bakery_ops.workflows.observe import (
    Snapshot,
    completed_so_far,
    gone,
    observed_kinds,
    snapshot,
    watched_only,
    with_orphans,
)
from bakery_ops.workflows.ports import Answer, Requests, Say
from bakery_ops.workflows.rollout_requests import refusal
from bakery_ops.workflows.verify import verify_settled

_FRESH = 10.0  # seconds: an older look proves nothing, for instance after images had to be built


@dataclass(frozen=True, slots=True)
class _Deploy:
    """One deploy past its first refusals.

    Attributes:
        part: The nodes that may be written, so those that have to fit and to hold: all, or what `--only` means.
    """

    graph: Graph
    part: Graph
    wishes: Wishes
    ports: Ports
    watchers: Watchers
    facts: ClusterFacts


def deploy(graph: Graph, wishes: Wishes, ports: Ports, watchers: Watchers) -> DeployReport:
    """Bring `graph` up and prove that it holds.

    Raises: Locked, PreflightRefused, TargetRefused, UsageError before the first write to the platform; a rollout that
    fails is a report, not an error.
    """
    chosen = chosen_nodes(graph, wishes.only)
    _require_known(graph, chosen, wishes.recreate)
    preflight.kinds_are_served(ports.requests, graph)
    made: list[str] = []
    with ExitStack() as held:
        with preflight.telling_made(made), preflight.permitted(graph, ports.lacking):
            if (standing := _standing(graph, wishes, ports, watchers)) is not None:
                return standing
            part = graph.part(chosen) if chosen else graph
            this = _Deploy(graph, part, wishes, ports, watchers, with_brought(ports.facts(), graph, ports.requests))
            preflight.classes_exist(graph, this.facts)
            preflight.owners_exist(ports.requests, part)
            if part.workloads() and (outage := preflight.names_resolve(ports.requests)) is not None:
                ports.say(f"{outage}; going on, since it may be starting")
            ports.prove_capacity(part)
            if wishes.dry_run:
                return DeployReport(_decide(this)[0])
            preflight.can_be_followed(graph, ports.unfollowed)
            make_namespaces(graph, ports.requests, ports.namespace, ports.say, made.append)
            lock = held.enter_context(ports.lock())
            lock.enter("preparation")
            decided, seen = _prepare(this)
        return _act(this, decided, seen, lock)


def _prepare(this: _Deploy) -> tuple[Plan, Snapshot]:
    """Secrets, images and the plan, which the server has accepted; what is wrong is refused before the platform."""
    graph, ports = this.graph, this.ports
    credentials = ports.ensure_credentials(graph)
    ports.ensure_images(images(this.part))
    preflight.references_exist(graph, ports.requests, credentials)
    if ports.apply_everything is not None:
        ports.inventory.write(sorted({*ports.inventory.read(), *(node.ref for node in graph.values())}))
        ports.apply_everything()
    decided, seen = _decide(this)
    if ports.apply_everything is not None:
        decided = watched_only(graph)
    force, workers = this.wishes.force_conflicts, this.wishes.workers
    preflight.server_accepts(ports.requests, graph, decided, force=force, workers=workers)
    return decided, seen


def _act(this: _Deploy, decided: Plan, seen: Snapshot, lock: Lock) -> DeployReport:
    """Write, wait, prune and verify. The inventory is written before the objects, and corrected afterwards."""
    ports = this.ports
    ports.say(_summary(decided))
    recorded = ports.inventory.read(seen.objects)
    ours = {*recorded} - gone(seen, recorded) | {node.ref for node in this.graph.values()}
    ports.inventory.write(sorted(ours))
    _try_custom_resources(this, decided, lock)
    if ports.recording is not None:
        ports.recording.begin(decided)
    lock.enter("rollout")
    result = _roll_out(this, decided, seen, lock)
    if result.outcome is not Outcome.SUCCEEDED:
        return DeployReport(decided, _explained(this, result))
    # Also where nothing was pruned: somebody may have deleted it meanwhile. What is recorded already is not written.
    ports.inventory.write(sorted(ours - {ref for ref, why_kept in result.pruned.items() if not why_kept}))
    lock.enter("verification")
    return DeployReport(decided, result, _prove(this, decided, seen, result))


def _try_custom_resources(this: _Deploy, decided: Plan, lock: Lock) -> None:
    ports, wishes = this.ports, this.wishes
    definitions.try_what_they_define(
        this.graph,
        decided,
        ports.requests,
        ports.clock,
        fence=lock.transitions,
        force=wishes.force_conflicts,
        workers=wishes.workers,
        may_write=lambda: lock.is_held,
        say=ports.say,
    )


def _explained(this: _Deploy, result: RolloutResult) -> RolloutResult:
    """What the graph cannot know of: without names, or without a node, every service looks guilty."""
    if result.outcome is Outcome.INTERRUPTED or not result.causes or result.count(Status.UNKNOWN):
        return result  # nobody waits for an answer, or the API server gives none
    if (outage := preflight.outage(this.ports.requests)) is None:
        return result
    return replace(result, causes=outages.explained(result.causes, this.graph, outage))


def _roll_out(this: _Deploy, decided: Plan, seen: Snapshot, lock: Lock) -> RolloutResult:
    wishes, watchers, options = this.wishes, this.watchers, this.wishes.options
    at_once = wishes.at_most or width.first(this.facts.machines, least=options.width)
    return rollout.drive(
        this.graph,
        decided,
        options._replace(width=at_once),
        _world(this.ports, wishes),
        facts=this.facts,
        snapshot=seen.structs(),
        synced=seen.kinds | frozenset(STREAMED_KINDS),
        fence=lock.transitions,
        force=wishes.force_conflicts,
        may_write=lambda: lock.is_held,
        on_change=watchers.on_change,
        on_event=watchers.on_event,
        on_record=watchers.on_record,
        request_count=this.ports.request_count,
    )


def _prove(this: _Deploy, decided: Plan, seen: Snapshot, result: RolloutResult) -> VerifyReport:
    """The verification; what passes it is recorded. Under the lock, so that it is what its holder deployed."""
    ports = this.ports
    done = completed_so_far(decided, result)
    verified = verify_settled(
        ports.requests, this.part, ports.clock, this.facts, simulated=this.wishes.simulated, done=done
    )
    if ports.recording is not None and verified.passed:
        ports.recording.finish(decided, seen)
    return verified


def _standing(graph: Graph, wishes: Wishes, ports: Ports, watchers: Watchers) -> DeployReport | None:
    """The report of a deploy that has nothing to do; None when there is, or when more was asked than to look."""
    is_plain = ports.apply_everything is None and ports.amend is as_planned
    if ports.quick is None or wishes.dry_run or wishes.only or not is_plain:
        return None
    if wishes.prune_kinds or wishes.allow_mass_prune or wishes.rerun:
        return None
    look = partial(unchanged.look, graph, ports.requests, ports.clock, ports.journal, ports.inventory, ports.quick)
    found = look()
    if found is None:
        return None
    ports.ensure_images(images(graph))
    if ports.clock.now() > found.began + _FRESH and (found := look()) is None:
        return None
    ended = unchanged.report(
        graph,
        found,
        ports.clock,
        simulated=wishes.simulated,
        requests=ports.request_count(),
        tell=(watchers.on_change, watchers.on_event),
    )
    if ended is not None:
        ports.say(f"{_summary(found.plan)}; all of it is ready, so nothing is locked or written")
    return ended


def images(graph: Graph) -> tuple[str, ...]:
    """Every container image the graph names, init containers included, sorted."""
    found: set[str] = set()
    for node in graph.values():
        spec = node.manifest.pod_spec or {}
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            found.add(str(container.get("image", "")))
    return tuple(sorted(found - {""}))


def chosen_nodes(graph: Graph, only: Sequence[str]) -> frozenset[str]:
    """The nodes `--only` means: those named, all that they need, and what stands for these alone: their Services and
    autoscalers. A workload without its Service would run, and nobody could reach it.

    Raises: UsageError: a name is none.
    """
    for name in only:
        if name not in graph:
            raise unknown("workload or object of --only", name, [node.name for node in graph.workloads()])
    needed = graph.upstream(only)
    own = [node.name for node in graph.values() if not node.is_workload and node.relies and node.relies <= needed]
    return graph.upstream([*needed, *own])


def make_namespaces(
    graph: Graph, requests: Requests, home: str, say: Say, made: Callable[[str], None] = lambda name: None
) -> None:
    """Lock, inventory and journal live in the namespace, so it comes before them, also where the render has none.

    Applying one twice changes nothing. `made` is told those that were not there before.
    Raises: PreflightRefused when it cannot be made.
    """
    wanted = {node.ref: node.manifest for node in graph.values() if node.ref.kind == "Namespace"}
    own = ObjectRef("", "Namespace", "", home)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}}
    for ref, manifest in {own: Manifest(own, "v1", body, "--namespace"), **wanted}.items():
        found = requests.read(ref)
        if found.status != 404:
            _require_lasting(ref.name, found)
            continue
        answer = requests.apply(manifest)
        if answer.status >= 300:
            raise PreflightRefused(f"cannot create namespace {ref.name}: {': '.join(refusal(answer))}")
        made(ref.name)
        say(f"namespace {ref.name} created")


def _require_lasting(name: str, namespace: Answer) -> None:
    if (namespace.body.get("metadata") or {}).get("deletionTimestamp"):
        remedy = f"wait until it is gone, then run again; kubectl describe namespace {name} says what holds it"
        raise PreflightRefused(f"the namespace {name} is being deleted, and takes nothing new", remedy=remedy)


def _require_known(graph: Graph, chosen: Collection[str], names: Sequence[str]) -> None:
    for name in names:
        if name not in graph:
            raise unknown("object of --recreate", name, [node.name for node in graph.values()])
        if chosen and name not in chosen:
            raise UsageError(f"--recreate {name}: it is not among what --only means, so it would stay as it is")


def _decide(this: _Deploy) -> tuple[Plan, Snapshot]:
    graph, wishes, ports = this.graph, this.wishes, this.ports
    seen = snapshot(ports.requests, graph, extra=observed_kinds(), records=ports.namespace)
    inventory, journal = ports.inventory.read(seen.objects), ports.journal.read(seen.objects)
    seen = with_orphans(ports.requests, seen, inventory, wishes.prune_kinds)
    decided = plan(
        graph,
        seen.objects,
        journal,
        inventory=inventory,
        only=this.part.keys() if wishes.only else (),
        prune=not wishes.only,
        prune_kinds=wishes.prune_kinds,
        allow_mass_prune=wishes.allow_mass_prune,
        recreate=wishes.recreate,
        rerun=wishes.rerun,
    )
    return ports.amend(decided, graph, seen, journal), seen


_NOTHING_TO_DO = {True: "completed before", False: "not selected"}  # by whether the journal knows it


def _summary(decided: Plan) -> str:
    counts: dict[str, int] = {}
    for step in decided.steps.values():
        word = _NOTHING_TO_DO[step.recorded] if step.action is Action.DONE else step.action.value
        counts[word] = counts.get(word, 0) + 1
    parts = [f"{count} {action}" for action, count in counts.items()]
    return f"plan: {', '.join(parts)}" + (f", {len(decided.prune)} to prune" if decided.prune else "")


def _world(ports: Ports, wishes: Wishes) -> rollout.World:
    return rollout.World(
        requests=ports.requests,
        mirror=ports.mirror,
        clock=ports.clock,
        inbox=ports.inbox,
        journal=ports.journal,
        writers=ports.pools(wishes.workers, "write"),
        readers=ports.pools(rollout.LOG_READERS, "read"),
        hurry=ports.hurry,
        seal=ports.seal,
    )
