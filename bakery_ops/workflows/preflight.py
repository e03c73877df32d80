"""What is refused before the first write: kinds, classes and references that are not there, objects the server rejects.

Each check reports all it finds at once, and raises PreflightRefused; none changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bakery_ops.errors import BakeryError, Forbidden, OperationFailed, PreflightRefused
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.references import references
from bakery_ops.model.words import amount
from bakery_ops.rules import outages
from bakery_ops.rules.outages import Outage
from bakery_ops.rules.plan import Plan, Step
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.workflows.ports import Requests
from bakery_ops.workflows.trial import refused, trial

_READERS = 8
# How the server says that a field of an object keeps its first value.
_FIXED = ("immutable", "updates to", "may not change")


@contextmanager
def permitted(graph: Graph, lacking: Callable[[Graph], Sequence[str]]) -> Iterator[None]:
    """Turns the first thing this account may not do into a refusal that lists all of them (B51)."""
    try:
        yield
    except Forbidden as error:
        raise PreflightRefused(
            "this account may not do what a deploy does",
            details=[str(error), *(f"missing: {each}" for each in lacking(graph))],
            remedy="have these permissions granted, or choose another context with --context",
        ) from error


def can_be_followed(graph: Graph, unfollowed: Callable[[Graph], Sequence[str]]) -> None:
    """Without its watches a deploy writes, sees nothing of it, and ends at its deadline."""
    if lacking := unfollowed(graph):
        raise Forbidden(f"this account may not follow what it deploys: {', '.join(lacking)}")


def kinds_are_served(requests: Requests, graph: Graph) -> None:
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
            f"the cluster does not know {amount(len(missing), 'kind')} of the render",
            details=missing,
            remedy="install their CustomResourceDefinitions first, or drop the objects",
        )


def classes_exist(graph: Graph, facts: ClusterFacts) -> None:
    """A class that is named but not there keeps an Ingress or a volume waiting for ever (B54, F40)."""
    brought = {(node.ref.kind, node.ref.name) for node in graph.values()}
    storage = None if facts.storage_classes is None else {each.name for each in facts.storage_classes}
    missing = []
    for node in graph.values():
        for kind, name in _classes(node):
            there = facts.ingress_classes if kind == "IngressClass" else storage
            if there is not None and name not in there and (kind, name) not in brought:
                missing.append(f"{node.ref}: {kind} {name!r}; the cluster has {', '.join(sorted(there)) or 'none'}")
    if missing:
        raise PreflightRefused(
            f"a class that the cluster does not have is named by {amount(len(missing), 'object')}",
            details=missing,
            remedy="install the controller that brings the class, or name one that is there",
        )


def _classes(node: Node) -> Iterator[tuple[str, str]]:
    spec = node.manifest.spec
    if node.ref.kind == "Ingress" and spec.get("ingressClassName"):
        yield "IngressClass", spec["ingressClassName"]
    claims = [spec] if node.ref.kind == "PersistentVolumeClaim" else []
    claims += [template.get("spec") or {} for template in spec.get("volumeClaimTemplates") or ()]
    for claim in claims:
        if claim.get("storageClassName"):
            yield "StorageClass", claim["storageClassName"]


def names_resolve(requests: Requests) -> Outage | None:
    """What is wrong with cluster DNS, when it may mend itself; who may not look at kube-system is told nothing (F43).

    Raises: PreflightRefused: somebody has scaled it to none.
    """
    found = _dns_outage(requests)
    if found is not None and found.is_meant:
        raise PreflightRefused(str(found), remedy="scale it up again: no service would find its database")
    return found


def outage(requests: Requests) -> Outage | None:
    """What is down below the platform: asked when a rollout has failed. The nodes first, for DNS runs on them."""
    return _node_outage(requests) or _dns_outage(requests)


def _node_outage(requests: Requests) -> Outage | None:
    try:
        return outages.node_outage(requests.list("", "Node", None))
    except BakeryError:
        return None


def _dns_outage(requests: Requests) -> Outage | None:
    try:
        return outages.dns_outage(requests.list("apps", "Deployment", outages.SYSTEM))
    except BakeryError:
        return None


def references_exist(graph: Graph, requests: Requests, known: Collection[ObjectRef]) -> None:
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
    missing = [f"{ref} (for {wanted[ref]})" for ref in _absent(requests, tuple(wanted))]
    if missing:
        raise PreflightRefused(
            f"neither in the render nor in the cluster: {amount(len(missing), 'referenced object')}",
            details=sorted(missing),
            remedy="add them to the render, or create them first",
        )


def _absent(requests: Requests, refs: Sequence[ObjectRef]) -> Iterator[ObjectRef]:
    """Those of `refs` that do not exist: one list of names per kind and namespace, where this account may list."""
    alike: dict[tuple[str, str, str], list[ObjectRef]] = {}
    for ref in refs:
        alike.setdefault(ref[:3], []).append(ref)
    for (group, kind, namespace), members in alike.items():
        try:
            names = requests.names(group, kind, namespace)
        except OperationFailed:
            with ThreadPoolExecutor(_READERS) as pool:
                answers = zip(members, pool.map(requests.read, members), strict=True)
            yield from (ref for ref, answer in answers if answer.status == 404)
        else:
            yield from (ref for ref in members if ref.name not in names)


def server_accepts(requests: Requests, graph: Graph, decided: Plan, *, force: bool, workers: int) -> None:
    """Ask the server to refuse now what it would refuse later: nothing is written when one object is wrong."""
    changed = frozenset(step.node for step in decided.changes)
    steps = [step for step in decided.changes if not _needs_definition(graph, graph[step.node], changed)]

    def ask(step: Step) -> str:
        node = graph[step.node]
        answer = requests.apply(trial(node, step), dry_run=True, force=force)
        return "" if answer.status < 300 else f"{node.ref}: {refused(answer, node)}"

    with ThreadPoolExecutor(workers) as pool:
        problems = [problem for problem in pool.map(ask, steps) if problem]
    if problems:
        remedy = "correct the objects named above, then run the same command again"
        if any(word in problem for problem in problems for word in _FIXED):
            remedy += "; what cannot be changed in place is deleted and created anew by --recreate NAME"
        if any("FieldConflict" in problem for problem in problems):
            remedy += "; --force-conflicts takes over what another manager owns"
        raise PreflightRefused(
            f"the API server would refuse {len(problems)} of {amount(len(steps), 'object')}; nothing was changed",
            details=problems,
            remedy=remedy,
        )


def _needs_definition(graph: Graph, node: Node, changed: frozenset[str]) -> bool:
    """Whether the server will only know what this is when the definition beside it has been written."""
    return any(graph[name].ref.kind == "CustomResourceDefinition" for name in node.needs & changed)
