"""What is refused before the first write: kinds, classes and references that are not there, objects the server rejects.

Each check reports all it finds at once, and raises PreflightRefused; none changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from bakery_ops.errors import BakeryError, Forbidden, OperationFailed, PreflightRefused
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.kinds import group_of
from bakery_ops.model.makers import Makers
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.references import references
from bakery_ops.model.words import amount
from bakery_ops.rules import outages
from bakery_ops.rules.outages import Outage
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.workflows.definitions import needed_by
from bakery_ops.workflows.facts import classes
from bakery_ops.workflows.ports import Requests
from bakery_ops.workflows.trial import refusals

_READERS = 8
_ISSUERS = ("cert-manager.io/", "kubernetes.io/tls-acme")
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


@contextmanager
def telling_made(namespaces: Sequence[str]) -> Iterator[None]:
    """A refusal also tells which namespaces were made on the way to it.

    They are not deleted again: by then somebody else may rely on them, and a Namespace goes only when it is named (I2).
    """
    try:
        yield
    except BakeryError as error:
        error.details += tuple(
            f"created on the way and kept: namespace {name}, since nothing can be tried in one that is not there;"
            f" kubectl delete namespace {name} removes it"
            for name in namespaces
        )
        raise


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
        for kind, name in classes(node):
            there = facts.ingress_classes if kind == "IngressClass" else storage
            if there is not None and name not in there and (kind, name) not in brought:
                missing.append(f"{node.ref}: {kind} {name!r}; the cluster has {', '.join(sorted(there)) or 'none'}")
    if missing:
        raise PreflightRefused(
            f"a class that the cluster does not have is named by {amount(len(missing), 'object')}",
            details=missing,
            remedy="install the controller that brings the class, or name one that is there",
        )


def owners_exist(requests: Requests, graph: Graph) -> None:
    """An object all of whose owners are not there is deleted by garbage collection as soon as it is written."""
    lost = []
    for node in graph.values():
        owners = node.manifest.body["metadata"].get("ownerReferences") or ()
        if owners and not any(_is_there(requests, node.ref, owner) for owner in owners):
            named = ", ".join(f"{owner.get('kind')}/{owner.get('name')} of UID {owner.get('uid')}" for owner in owners)
            lost.append(f"{node.ref}: owned by {named}")
    if lost:
        raise PreflightRefused(
            f"the cluster would delete {amount(len(lost), 'object')} at once: their owners do not exist",
            details=lost,
            remedy="remove metadata.ownerReferences: its UIDs are of one cluster, and a copy names what is not there",
        )


def _is_there(requests: Requests, ref: ObjectRef, owner: Mapping[str, Any]) -> bool:
    group = group_of(str(owner.get("apiVersion", "")))
    found = requests.read(ObjectRef(group, str(owner.get("kind")), ref.namespace, str(owner.get("name"))))
    return found.status != 404 and (found.body.get("metadata") or {}).get("uid") in (None, owner.get("uid"))


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
    """Secrets and ConfigMaps that the render refers to must be in it, in the cluster, or made by what the render runs.

    `known`: those that were seen or made a moment ago.
    """
    wanted: dict[ObjectRef, list[Node]] = {}
    for node in graph.values():
        for reference in references(node.manifest):
            is_brought = graph.by_ref(reference.target) is not None or reference.target in known
            if reference.target.is_configuration and not reference.optional and not is_brought:
                wanted.setdefault(reference.target, []).append(node)
    makers = Makers([node.manifest for node in graph.values()])
    missing = [
        f"{ref} (for {wanted[ref][0].name})"
        for ref in _absent(requests, tuple(wanted))
        if not all(makers.of(ref, node.manifest) or _is_issued(requests, node) for node in wanted[ref])
    ]
    if missing:
        raise PreflightRefused(
            f"neither in the render nor in the cluster: {amount(len(missing), 'referenced object')}",
            details=sorted(missing),
            remedy="add them to the render, or create them first",
        )


def _is_issued(requests: Requests, node: Node) -> bool:
    """Whether cert-manager makes the certificate of this Ingress, as an annotation asks it to, and is there."""
    if node.ref.kind != "Ingress" or not any(key.startswith(_ISSUERS) for key in node.manifest.annotations):
        return False
    certificate = ObjectRef("cert-manager.io", "Certificate", node.ref.namespace, node.ref.name)
    return all(requests.served([certificate]).values())


def _absent(requests: Requests, refs: Sequence[ObjectRef]) -> Iterator[ObjectRef]:
    """Those of `refs` that do not exist: one list of metadata per kind and namespace, where this account may list."""
    alike: dict[tuple[str, str, str], list[ObjectRef]] = {}
    for ref in refs:
        alike.setdefault(ref[:3], []).append(ref)
    for (group, kind, namespace), members in alike.items():
        try:
            names = {item["metadata"]["name"] for item in requests.metadata(group, kind, namespace)}
        except OperationFailed:
            with ThreadPoolExecutor(_READERS) as pool:
                answers = zip(members, pool.map(requests.read, members), strict=True)
            yield from (ref for ref, answer in answers if answer.status == 404)
        else:
            yield from (ref for ref in members if ref.name not in names)


def server_accepts(requests: Requests, graph: Graph, decided: Plan, *, force: bool, workers: int) -> None:
    """Ask the server to refuse now what it would refuse later: nothing is written when one object is wrong."""
    changed = frozenset(step.node for step in decided.changes)
    steps = [step for step in decided.changes if not needed_by(graph, graph[step.node], changed)]
    problems = [found.text for found in refusals(requests, graph, steps, force=force, workers=workers)]
    if problems:
        remedy = "correct the objects named above, then run the same command again"
        if any(word in problem for problem in problems for word in _FIXED):
            remedy += "; what cannot be changed in place is deleted and created anew by --recreate NAME"
        if any("FieldConflict" in problem for problem in problems):
            remedy += "; --force-conflicts takes over what another manager owns"
        raise PreflightRefused(
            f"the API server would refuse {len(problems)} of {amount(len(steps), 'object')};"
            " none of the platform was written",
            details=problems,
            remedy=remedy,
        )
