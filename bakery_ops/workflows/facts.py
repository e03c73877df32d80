"""What the rules may know of a cluster: its nodes, storage classes and ingress classes, read once a deploy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from bakery_ops.errors import OperationFailed
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import Taint
from bakery_ops.model.quantities import milli_cpu, whole
from bakery_ops.rules.readiness.observation import ClusterFacts, Machine, StorageClassFacts
from bakery_ops.workflows.ports import Requests

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def read_facts(requests: Requests, known: ClusterFacts) -> ClusterFacts:
    """`known` and what can be read; what we may not read (RBAC) stays unknown, and no rule fails a node on that."""
    storage = _listed(requests, "storage.k8s.io", "StorageClass")
    ingress = _listed(requests, "networking.k8s.io", "IngressClass")
    return replace(
        known,
        storage_classes=None if storage is None else tuple(_storage_class(item) for item in storage),
        ingress_classes=None if ingress is None else frozenset(item["metadata"]["name"] for item in ingress),
        machines=tuple(_machine(item) for item in _listed(requests, "", "Node") or ()),
    )


def with_brought(facts: ClusterFacts, graph: Graph, requests: Requests) -> ClusterFacts:
    """The facts as they will be once the classes of the render are applied: a claim comes after its class.

    A volume may go by a class that no object describes; claims of that name find it all the same.
    """
    brought: dict[str, list[Mapping[str, Any]]] = {"StorageClass": [], "IngressClass": [], "PersistentVolume": []}
    for node in graph.values():
        if node.ref.kind in brought:
            brought[node.ref.kind].append(node.manifest.body)
    ingress = facts.ingress_classes
    if ingress is not None:
        ingress |= {item["metadata"]["name"] for item in brought["IngressClass"]}
    storage = facts.storage_classes
    if storage is not None:
        known = {one.name: one for one in (*storage, *map(_storage_class, brought["StorageClass"]))}
        wanted = {name for node in graph.values() for kind, name in classes(node) if kind == "StorageClass"}
        volumes = [*brought["PersistentVolume"]]
        if wanted - {*known}:
            volumes += _listed(requests, "", "PersistentVolume") or ()
        for name in {(volume.get("spec") or {}).get("storageClassName") or "" for volume in volumes} - {"", *known}:
            known[name] = StorageClassFacts(name, is_default=False, waits_for_consumer=False)
        storage = tuple(known.values())
    return replace(facts, storage_classes=storage, ingress_classes=ingress)


def classes(node: Node) -> Iterator[tuple[str, str]]:
    """(kind, name) of every class that an Ingress or a claim names."""
    spec = node.manifest.spec
    if node.ref.kind == "Ingress" and spec.get("ingressClassName"):
        yield "IngressClass", spec["ingressClassName"]
    claims = [spec] if node.ref.kind == "PersistentVolumeClaim" else []
    claims += [template.get("spec") or {} for template in spec.get("volumeClaimTemplates") or ()]
    for claim in claims:
        if claim.get("storageClassName"):
            yield "StorageClass", claim["storageClassName"]


def _listed(requests: Requests, group: str, kind: str) -> Sequence[Mapping[str, Any]] | None:
    try:
        return requests.list(group, kind, None)
    except OperationFailed:
        return None


def _storage_class(item: Mapping[str, Any]) -> StorageClassFacts:
    annotations = item["metadata"].get("annotations") or {}
    return StorageClassFacts(
        item["metadata"]["name"],
        annotations.get(_DEFAULT_CLASS) == "true",
        item.get("volumeBindingMode") == "WaitForFirstConsumer",
    )


def _machine(item: Mapping[str, Any]) -> Machine:
    status, spec = item.get("status") or {}, item.get("spec") or {}
    allocatable = status.get("allocatable") or {}
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return Machine(
        name=item["metadata"]["name"],
        cpu=milli_cpu(allocatable.get("cpu", "0")),
        memory=whole(allocatable.get("memory", "0")),
        is_ready=ready,
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple(msgspec.convert(taint, Taint) for taint in spec.get("taints") or ()),
    )
