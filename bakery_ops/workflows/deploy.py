"""`deploy`: from a rendered platform to a verified one. Each step is one function; stopping early is the dry run.

gather (facts, live objects, journal) -> decide (capacity, plan) -> act (secrets, images, rollout) -> verify.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bakery_ops.errors import PreflightRefused, UsageError
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import references
from bakery_ops.rules.plan import Action, JournalEntry, Plan, Recorded, plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import DeployReport
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.result import RolloutResult
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.workflows import rollout
from bakery_ops.workflows.observe import Snapshot, observed_kinds, snapshot, watched_only
from bakery_ops.workflows.ports import Clock, Mirror, Requests, Say
from bakery_ops.workflows.rollout_requests import refusal
from bakery_ops.workflows.verify import verify

_DRY_RUNS = 8


class Journal(Protocol):
    """What runs recorded of each node, in the cluster."""

    def read(self) -> Mapping[str, Recorded]: ...
    def record(self, entries: Mapping[str, JournalEntry]) -> None: ...


class Inventory(Protocol):
    """Every object we wrote and did not delete. Written before the objects are (docs/faults.md, promise I1)."""

    def read(self) -> Sequence[ObjectRef]: ...
    def write(self, refs: Sequence[ObjectRef]) -> None: ...


class Lock(Protocol):
    """The cluster's deploy lock, held. `transitions` counts its holders: the number that fences our writes."""

    @property
    def transitions(self) -> int: ...
    @property
    def is_held(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters one deploy works through.

    Attributes:
        namespace: Where the lock, the inventory and the journal are kept.
        lock: Makes the context manager that holds the deploy lock; it tells `inbox` when the lock is lost.
        ensure_credentials: Creates the missing secrets and certificates of these nodes; returns all that are there now.
        ensure_images: Makes these images available to the cluster's nodes.
        facts: Reads storage classes, ingress classes and cluster nodes.
        prove_capacity: Raises PreflightRefused when the platform does not fit the cluster's nodes.
        apply_everything: Another engine, which applies all at once; our waits, evidence and verification go on after
            it. None: we apply node by node.
    """

    namespace: str
    requests: Requests
    mirror: Mirror
    clock: Clock
    inbox: rollout.Inbox
    journal: Journal
    inventory: Inventory
    lock: Callable[[], AbstractContextManager[Lock]]
    ensure_credentials: Callable[[Graph], Collection[ObjectRef]]
    ensure_images: Callable[[Sequence[str]], None]
    facts: Callable[[], ClusterFacts]
    prove_capacity: Callable[[Graph], None]
    request_count: Callable[[], int]
    say: Say
    apply_everything: Callable[[], None] | None = None


class Wishes(NamedTuple):
    """What the user asked of this deploy. `simulated`: nothing really runs there. `workers`: parallel writes."""

    only: tuple[str, ...] = ()
    dry_run: bool = False
    force_conflicts: bool = False
    simulated: bool = False
    workers: int = 8
    options: Options = Options()


class Watchers(NamedTuple):
    """Who looks on: the live view, and the record of events."""

    on_change: Callable[[RolloutView], None] = lambda view: None
    on_event: Callable[[Mapping[str, Any]], None] = lambda event: None


def deploy(graph: Graph, wishes: Wishes, ports: Ports, watchers: Watchers) -> DeployReport:
    """Bring `graph` up and prove that it holds.

    Raises: Locked, PreflightRefused, TargetRefused, UsageError before the first write to the platform; a rollout that
    fails is a report, not an error.
    """
    chosen = _chosen(graph, wishes.only)
    _served(ports.requests, graph)
    ports.prove_capacity(graph)
    if wishes.dry_run:
        return DeployReport(_decide(graph, ports, chosen)[0])
    _namespaces(graph, ports)
    with ports.lock() as lock:
        credentials = ports.ensure_credentials(graph)
        ports.ensure_images(images(graph))
        _references_exist(graph, ports.requests, credentials)
        if ports.apply_everything is not None:
            ports.apply_everything()
        decided, seen = _decide(graph, ports, chosen)
        if ports.apply_everything is not None:
            decided = watched_only(graph)
        _dry_runs(graph, decided, ports, wishes)
        ports.say(_summary(decided))
        ports.inventory.write(_inventory(graph, ports))
        result = rollout.drive(
            graph,
            decided,
            wishes.options,
            _world(ports, wishes),
            facts=ports.facts(),
            snapshot=seen.structs(),
            synced=seen.kinds | frozenset(STREAMED_KINDS),
            fence=lock.transitions,
            force=wishes.force_conflicts,
            may_write=lambda: lock.is_held,
            on_change=watchers.on_change,
            on_event=watchers.on_event,
            request_count=ports.request_count,
        )
        if result.outcome is not Outcome.SUCCEEDED:
            return DeployReport(decided, result)
        ports.inventory.write(_kept(graph, ports, result))
    verified = verify(ports.requests, graph, ports.clock, ports.facts(), simulated=wishes.simulated)
    return DeployReport(decided, result, verified)


def images(graph: Graph) -> tuple[str, ...]:
    """Every container image the graph names, init containers included, sorted."""
    found: set[str] = set()
    for node in graph.values():
        spec = node.manifest.pod_spec or {}
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            found.add(str(container.get("image", "")))
    return tuple(sorted(found - {""}))


def _chosen(graph: Graph, only: Sequence[str]) -> frozenset[str]:
    """The nodes `--only` means: those named and all that they need. Raises UsageError for a name that is none."""
    unknown = [name for name in only if name not in graph]
    if unknown:
        workloads = ", ".join(node.name for node in graph.workloads())
        raise UsageError(f"--only: nothing in the render is called {unknown[0]!r}", remedy=f"known: {workloads}")
    return graph.upstream(only) if only else frozenset()


def _served(requests: Requests, graph: Graph) -> None:
    defined = {
        (node.manifest.spec["group"], node.manifest.spec["names"]["kind"])
        for node in graph.values()
        if node.ref.kind == "CustomResourceDefinition"
    }
    served = requests.served([node.ref for node in graph.values()])
    missing = sorted(
        f"{kind}.{group}" if group else kind
        for (group, kind), is_served in served.items()
        if not is_served and (group, kind) not in defined
    )
    if missing:
        raise PreflightRefused(
            f"the cluster does not know {len(missing)} kind(s) of the render",
            details=missing,
            remedy="install their CustomResourceDefinitions first, or drop the objects",
        )


def _namespaces(graph: Graph, ports: Ports) -> None:
    """Lock, inventory and journal live in the namespace, so it comes before them, also where the render has none.

    Applying one twice changes nothing. Raises: PreflightRefused when it cannot be made.
    """
    wanted = {node.ref: node.manifest for node in graph.values() if node.ref.kind == "Namespace"}
    home = ObjectRef("", "Namespace", "", ports.namespace)
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ports.namespace}}
    for ref, manifest in {home: Manifest(home, "v1", body, "--namespace"), **wanted}.items():
        if ports.requests.read(ref).status != 404:
            continue
        answer = ports.requests.apply(manifest)
        if answer.status >= 300:
            raise PreflightRefused(f"cannot create namespace {ref.name}: {': '.join(refusal(answer))}")
        ports.say(f"namespace {ref.name} created")


def _decide(graph: Graph, ports: Ports, chosen: frozenset[str]) -> tuple[Plan, Snapshot]:
    seen = snapshot(ports.requests, graph, extra=observed_kinds())
    decided = plan(
        graph, seen.objects, ports.journal.read(), inventory=ports.inventory.read(), only=chosen, prune=not chosen
    )
    return decided, seen


def _references_exist(graph: Graph, requests: Requests, known: Collection[ObjectRef]) -> None:
    """Secrets and ConfigMaps that the render refers to but does not hold must be in the cluster by now.

    `known`: those that were seen or made a moment ago.
    """
    wanted: dict[ObjectRef, str] = {}
    for node in graph.values():
        for reference in references(node.manifest):
            is_configuration = reference.target.kind in ("Secret", "ConfigMap")
            is_brought = graph.by_ref(reference.target) is not None or reference.target in known
            if is_configuration and not reference.optional and not is_brought:
                wanted.setdefault(reference.target, node.name)
    with ThreadPoolExecutor(_DRY_RUNS) as pool:
        answers = zip(wanted, pool.map(requests.read, wanted), strict=True)
    missing = [f"{ref} (for {wanted[ref]})" for ref, answer in answers if answer.status == 404]
    if missing:
        raise PreflightRefused(
            f"{len(missing)} referenced object(s) exist neither in the render nor in the cluster",
            details=sorted(missing),
        )


def _dry_runs(graph: Graph, decided: Plan, ports: Ports, wishes: Wishes) -> None:
    """Ask the server to refuse now what it would refuse later: nothing is written when one object is wrong."""
    steps = [step for step in decided.changes if step.action is Action.APPLY]
    nodes = [graph[step.node] for step in steps if not _needs_definition(graph, graph[step.node])]

    def ask(node: Node) -> str:
        answer = ports.requests.apply(node.manifest, dry_run=True, force=wishes.force_conflicts)
        return "" if answer.status < 300 else f"{node.ref}: {': '.join(refusal(answer))}"

    with ThreadPoolExecutor(wishes.workers) as pool:
        problems = [problem for problem in pool.map(ask, nodes) if problem]
    if problems:
        raise PreflightRefused(
            f"the API server would refuse {len(problems)} of {len(nodes)} object(s); nothing was changed",
            details=problems,
            remedy="correct the objects named above, then run the same command again",
        )


def _needs_definition(graph: Graph, node: Node) -> bool:
    return any(graph[name].ref.kind == "CustomResourceDefinition" for name in node.needs)


def _summary(decided: Plan) -> str:
    counts: dict[str, int] = {}
    for step in decided.steps.values():
        counts[step.action.value] = counts.get(step.action.value, 0) + 1
    parts = [f"{count} {action}" for action, count in counts.items()]
    return f"plan: {', '.join(parts)}" + (f", {len(decided.prune)} to prune" if decided.prune else "")


def _inventory(graph: Graph, ports: Ports) -> list[ObjectRef]:
    known = set(ports.inventory.read())
    known.update(node.ref for node in graph.values())
    return sorted(known)


def _kept(graph: Graph, ports: Ports, result: RolloutResult) -> list[ObjectRef]:
    """What is still ours: all that was, and all of the render, without what was really deleted."""
    gone = {ref for ref, why_kept in result.pruned.items() if not why_kept}
    return sorted({*ports.inventory.read(), *(node.ref for node in graph.values())} - gone)


def _world(ports: Ports, wishes: Wishes) -> rollout.World:
    return rollout.World(
        requests=ports.requests,
        mirror=ports.mirror,
        clock=ports.clock,
        inbox=ports.inbox,
        journal=ports.journal,
        writers=ThreadPoolExecutor(wishes.workers, "write"),
    )
