"""Manifests to the dependency graph: names, stages, and every edge that labels, annotations and references imply."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.model import declared, hooks, inference, stages
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node, find_cycle
from bakery_ops.model.hooks import Moment
from bakery_ops.model.makers import Makers
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.naming import Names
from bakery_ops.model.references import listed, references
from bakery_ops.model.selection import Selection

_REPORTED_CYCLES = 10
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")
_BEFORE_PODS = frozenset({"ResourceQuota", "LimitRange"})


class Built(NamedTuple):
    """The graph, mistakes that make it unusable (one line each), and remarks that do not."""

    graph: Graph
    problems: tuple[str, ...]
    notes: tuple[str, ...]


def build_graph(manifests: Sequence[Manifest]) -> Graph:
    """The graph of a render. Raises UsageError that lists every unknown wait and every cycle."""
    graph, problems, _ = build(manifests)
    if problems:
        remedy = "correct the annotations and init containers named above"
        raise UsageError("the dependencies between the objects are wrong", details=problems, remedy=remedy)
    return graph


def build(manifests: Sequence[Manifest]) -> Built:
    """As `build_graph`, with mistakes and remarks as values; a mistaken edge is left out of the graph."""
    world = _World(manifests)
    for manifest in manifests:
        _definitions(world, manifest)
        _references(world, manifest)
    _volumes(world)
    for manifest in manifests:
        if manifest.ref.is_workload:
            _before_pods(world, manifest)
        else:
            _selectors(world, manifest)
    for manifest in manifests:
        _declared(world, manifest)
    _waves(world)
    _break_cycles(world)
    _inferred(world)
    _migrations(world)
    _made_later(world)
    _hooks(world)
    _stages(world)
    nodes = (draft.node() for draft in world.drafts.values())
    return Built(Graph(nodes), tuple(world.problems), tuple(world.notes))


@dataclass
class _Draft:
    name: str
    manifest: Manifest
    stage: Stage
    needs: set[str] = field(default_factory=set)
    after: set[str] = field(default_factory=set)
    relies: set[str] = field(default_factory=set)
    waits: dict[str, str] = field(default_factory=dict)

    def node(self) -> Node:
        needs = frozenset(self.needs)
        after = frozenset(self.after) - needs
        relies = frozenset(self.relies) - needs
        return Node(self.name, self.manifest, self.stage, needs, after, relies, self.waits)

    @property
    def upstream(self) -> set[str]:
        return self.needs | self.after


class _World:
    """Everything known of the render while edges are found."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self.manifests = manifests
        self.names = Names(manifests)
        self.by_ref = {manifest.ref: manifest for manifest in manifests}
        self.drafts = {
            name: _Draft(name, manifest, stages.of(manifest))
            for manifest in manifests
            for name in (self.names.of[manifest.ref],)
        }
        self.selection = Selection(manifest for manifest in manifests if manifest.ref.is_workload)
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.custom = {
            (spec.get("group"), (spec.get("names") or {}).get("kind")): manifest.ref
            for manifest in manifests
            if manifest.ref.kind == "CustomResourceDefinition"
            for spec in (manifest.spec,)
        }
        self.bindings = _accounts(manifests)
        self.before_pods: dict[str, list[ObjectRef]] = {}
        for manifest in manifests:
            if manifest.ref.kind in _BEFORE_PODS:
                self.before_pods.setdefault(manifest.ref.namespace, []).append(manifest.ref)

    def draft(self, manifest: Manifest) -> _Draft:
        return self.drafts[self.names.of[manifest.ref]]

    def name(self, ref: ObjectRef) -> str | None:
        return self.names.of.get(ref)

    def behind(self, ref: ObjectRef) -> list[str]:
        """The names of the workloads a Service of the render sends traffic to."""
        service = self.by_ref.get(ref)
        return [self.names.of[each.ref] for each in self.selection.behind(service)] if service else []


def _accounts(manifests: Iterable[Manifest]) -> dict[tuple[str, str], list[ObjectRef]]:
    """(namespace, ServiceAccount) -> the bindings that give it permissions."""
    found: dict[tuple[str, str], list[ObjectRef]] = {}
    for manifest in manifests:
        if manifest.ref.kind in _BINDINGS:
            for reference in references(manifest):
                if reference.target.kind == "ServiceAccount":
                    found.setdefault((reference.target.namespace, reference.target.name), []).append(manifest.ref)
    return found


def _definitions(world: _World, manifest: Manifest) -> None:
    """An object needs its Namespace and, when its kind is a custom one, the definition of that kind."""
    draft = world.draft(manifest)
    for ref in (
        ObjectRef("", "Namespace", "", manifest.ref.namespace) if manifest.ref.namespace else None,
        world.custom.get((manifest.ref.group, manifest.ref.kind)),
    ):
        name = world.name(ref) if ref else None
        if name is not None:
            draft.needs.add(name)


def _references(world: _World, manifest: Manifest) -> None:
    """What is referred to by name is applied first; what stands behind a webhook is Ready first."""
    draft = world.draft(manifest)
    for reference in references(manifest):
        name = world.name(reference.target)
        if name is None or name == draft.name:
            continue
        draft.after.add(name)
        kind = reference.target.kind
        if kind == "PersistentVolumeClaim" or manifest.ref.kind in ("HorizontalPodAutoscaler", "Ingress"):
            draft.relies.add(name)
        if kind == "Service" and manifest.ref.kind == "Ingress":
            # Until the workload is applied its Service is ready with nobody behind it, and the route has no endpoint.
            draft.relies.update(world.behind(reference.target))
        if kind == "Service" and reference.place.startswith(("webhook", "service")) and not draft.manifest.pod_spec:
            draft.needs.update(world.behind(reference.target))


def _volumes(world: _World) -> None:
    """A claim comes after the volumes of its class: without them it is told that nobody knows the class."""
    by_class: dict[str, list[str]] = {}
    for manifest in world.manifests:
        if manifest.ref.kind == "PersistentVolume":
            by_class.setdefault(manifest.spec.get("storageClassName") or "", []).append(world.names.of[manifest.ref])
    for manifest in world.manifests if by_class else ():
        claims = [manifest.spec] if manifest.ref.kind == "PersistentVolumeClaim" else []
        claims += [claim.get("spec") or {} for claim in listed(manifest.spec, "volumeClaimTemplates")]
        for claim in claims:
            world.draft(manifest).after.update(by_class.get(claim.get("storageClassName") or "", ()))


def _before_pods(world: _World, manifest: Manifest) -> None:
    """Permissions, quotas, defaults and policies that bear on a pod are there before it is."""
    draft = world.draft(manifest)
    namespace = manifest.ref.namespace
    account = (manifest.pod_spec or {}).get("serviceAccountName") or "default"
    for ref in (*world.bindings.get((namespace, account), ()), *world.before_pods.get(namespace, ())):
        draft.after.add(world.names.of[ref])


def _selectors(world: _World, manifest: Manifest) -> None:
    """A Service or budget relies on the workloads it selects; a workload starts after the policies that select it."""
    draft = world.draft(manifest)
    namespace = manifest.ref.namespace
    match manifest.ref.kind:
        case "Service":
            draft.relies.update(world.behind(manifest.ref))
        case "PodDisruptionBudget":
            selector = manifest.spec.get("selector") or {}
            draft.relies.update(world.names.of[each.ref] for each in world.selection.pick(namespace, selector))
        case "NetworkPolicy":
            for picked in world.selection.pick(namespace, manifest.spec.get("podSelector") or {}):
                world.draft(picked).after.add(draft.name)


def _declared(world: _World, manifest: Manifest) -> None:
    draft = world.draft(manifest)
    for wait in declared.waits(manifest):
        meant = world.names.meant(wait.word, manifest, world.selection)
        if not meant:
            text = f"{manifest.ref} ({manifest.source}) waits for {wait.word!r}, which is no object of this render"
            (world.problems if wait.binding else world.notes).append(f"{text}{world.names.nearest(wait.word)}")
        elif draft.name in meant:
            world.problems.append(f"{manifest.ref} ({manifest.source}) waits for itself")
        else:
            draft.needs.update(meant)
            draft.waits[wait.word] = meant[0]
    for ref, text in declared.depends_on(manifest):
        name = world.name(ref) if ref else None
        if name is None or name == draft.name:
            world.problems.append(f"{manifest.ref} ({manifest.source}) depends on {text!r}, which is no object here")
        else:
            draft.needs.add(name)


def _waves(world: _World) -> None:
    for later, earlier in declared.waves(world.manifests):
        world.draft(later).needs.update(world.names.of[manifest.ref] for manifest in earlier)


def _break_cycles(world: _World) -> None:
    """Report cycles of declared edges; drop one edge of each so that the rest can still be looked at."""
    edges = {name: draft.upstream for name, draft in world.drafts.items()}
    for _ in range(_REPORTED_CYCLES):
        cycle = find_cycle(edges)
        if not cycle:
            return
        world.problems.append(f"a cycle: {' needs '.join(cycle)}")
        last = world.drafts[cycle[-2]]
        last.needs.discard(cycle[-1])
        last.after.discard(cycle[-1])
        edges[last.name] = last.upstream


def _inferred(world: _World) -> None:
    """Dependencies of objects that declare none: the Services their settings name. A cycle is never made."""
    for manifest in world.manifests:
        draft = world.draft(manifest)
        if draft.waits or not inference.applies(manifest):
            continue
        for namespace, service in inference.services_named(manifest, world.by_ref, world.names):
            for name in world.behind(ObjectRef("", "Service", namespace, service)):
                if name == draft.name or name in draft.needs:
                    continue
                if _reaches(world, name, draft.name):
                    world.notes.append(f"{draft.name} names {service!r}, but waiting for it would close a cycle")
                else:
                    draft.needs.add(name)


def _reaches(world: _World, start: str, goal: str) -> bool:
    seen: set[str] = set()
    queue = [start]
    while queue:
        name = queue.pop()
        if name == goal:
            return True
        if name not in seen:
            seen.add(name)
            queue.extend(world.drafts[name].upstream)
    return False


def _migrations(world: _World) -> None:
    """An unlabelled Job that runs a Deployment's own image before it (a migration): the Deployment waits for it."""
    for job, workload in inference.migrations(world.manifests):
        before, then = world.draft(job), world.draft(workload)
        if not _reaches(world, before.name, then.name):
            then.needs.add(before.name)


def _made_later(world: _World) -> None:
    """What needs a Secret or ConfigMap that only comes while the render runs waits for the one that may make it."""
    makers = Makers(world.manifests)
    for manifest in world.manifests:
        if not inference.applies(manifest):
            continue
        draft = world.draft(manifest)
        for reference in references(manifest):
            if reference.optional or not reference.target.is_configuration or reference.target in world.by_ref:
                continue
            for maker in makers.of(reference.target, manifest):
                name = world.names.of[maker.ref]
                if not _reaches(world, name, draft.name):
                    draft.needs.add(name)
                    break


def _hooks(world: _World) -> None:
    """Workloads that run before all others, or after them, by their weights; what refers the other way wins."""
    of: dict[Moment, list[Manifest]] = {moment: [] for moment in Moment}
    for manifest in world.manifests:
        if manifest.ref.is_workload:
            of[hooks.moment(manifest)].append(manifest)
    plain = of.pop(Moment.WITH_ALL)
    for moment, members in of.items():
        by_weight = [[*group] for _, group in groupby(sorted(members, key=hooks.weight), key=hooks.weight)]
        turns = [*by_weight, plain] if moment is Moment.BEFORE else [plain, *by_weight]
        for earlier, later in pairwise(turns):
            for manifest in later:
                draft = world.draft(manifest)
                edges = draft.after if earlier is plain and moment is Moment.APPLIED else draft.needs
                names = (world.names.of[each.ref] for each in earlier)
                edges.update(name for name in names if not _reaches(world, name, draft.name))


def _stages(world: _World) -> None:
    """Autoscalers join their target's stage, and nothing belongs to an earlier stage than what it needs."""
    for name in _ordered(world.drafts):
        draft = world.drafts[name]
        for upstream in draft.upstream:
            # Applying configuration after something starts nothing; only a need moves an object.
            if upstream in draft.needs or draft.manifest.ref.kind == "HorizontalPodAutoscaler":
                draft.stage = stages.lifted(draft.manifest, draft.stage, world.drafts[upstream].stage)


def _ordered(drafts: dict[str, _Draft]) -> Iterator[str]:
    """Names, each after everything upstream of it. Iterative: chains may be thousands long."""
    done: set[str] = set()
    for start in drafts:
        stack = [start]
        while stack:
            name = stack[-1]
            waiting = [each for each in drafts[name].upstream if each not in done] if name not in done else []
            if waiting:
                stack.extend(waiting)
            else:
                stack.pop()
                if name not in done:
                    done.add(name)
                    yield name
