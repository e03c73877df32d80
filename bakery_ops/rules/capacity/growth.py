"""What more tenants need: the same platform with more replicas and larger databases, by assumptions stated here.

Ten tenants are the platform as shipped. Stateless services grow by replicas, data services by memory and CPU, volumes
with the number of tenants. Planning figures: docs/VPS-SIZING-PRODUCTION.md says to correct them by measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Any, NamedTuple

from bakery_ops.errors import UsageError
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.quantities import MEBI, NodeSize, milli_cpu, whole
from bakery_ops.rules.capacity.demand import EPHEMERAL, MEMORY
from bakery_ops.rules.capacity.limits import claims_total
from bakery_ops.rules.capacity.machines import machines
from bakery_ops.rules.capacity.proof import CapacityReport, prove, smallest_machine


class Growth(NamedTuple):
    """A number of tenants and what it means.

    Attributes:
        replicas: Least copies of each microservice and of the edge; an autoscaler's bounds are multiplied by it.
        data: Factor on requests and limits of databases, cache and broker.
        storage: Factor on volumes.
    """

    tenants: int
    replicas: int
    data: float
    storage: float


PATH = (Growth(10, 1, 1.0, 1.0), Growth(25, 1, 1.5, 2.5), Growth(50, 2, 2.0, 5.0), Growth(100, 3, 4.0, 10.0))


class GrowthRow(NamedTuple):
    """A step of the path: what it asks for on the smallest single node that carries it, and that node's size."""

    growth: Growth
    report: CapacityReport
    node: NodeSize | None
    storage: int


def path(graph: Graph) -> tuple[GrowthRow, ...]:
    """Every step of `PATH` for this platform."""
    rows = []
    for growth in PATH:
        larger = grown(graph, growth)
        node = smallest_machine(larger)
        report = prove(larger, machines([node] if node else []))
        rows.append(GrowthRow(growth, report, node, ceil(claims_total(graph) * growth.storage)))
    return tuple(rows)


def grown(graph: Graph, growth: Growth) -> Graph:
    """The graph with the replicas and requests that `growth` means."""
    return Graph(replace(node, manifest=_grown(node, growth)) for node in graph.values())


def _grown(node: Node, growth: Growth) -> Manifest:
    spec = node.manifest.spec
    if node.ref.kind == "HorizontalPodAutoscaler":
        least, most = spec.get("minReplicas") or 1, spec.get("maxReplicas") or 1
        return _with(node, {"minReplicas": least * growth.replicas, "maxReplicas": most * growth.replicas})
    if node.ref.kind == "Deployment" and node.stage in (Stage.MICROSERVICE, Stage.EDGE):
        written = spec.get("replicas")
        return _with(node, {"replicas": max(1 if written is None else written, growth.replicas)})
    if node.ref.kind == "StatefulSet" and node.stage in (Stage.DATABASE, Stage.INFRASTRUCTURE):
        pod = node.manifest.pod_spec or {}
        containers = [_larger(each, growth.data) for each in pod.get("containers") or ()]
        template = {**(spec.get("template") or {}), "spec": {**pod, "containers": containers}}
        return _with(node, {"template": template})
    return node.manifest


def _with(node: Node, changes: Mapping[str, Any]) -> Manifest:
    body = node.manifest.body
    return replace(node.manifest, body={**body, "spec": {**node.manifest.spec, **changes}})


def _larger(container: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    resources = container.get("resources") or {}
    grown_resources = {
        kind: {name: _scaled(name, value, factor) for name, value in (resources.get(kind) or {}).items()}
        for kind in ("requests", "limits")
    }
    return {**container, "resources": grown_resources}


def _scaled(resource: str, value: Any, factor: float) -> Any:
    try:
        if resource == "cpu":
            return f"{ceil(milli_cpu(value) * factor)}m"
        if resource in (MEMORY, EPHEMERAL):
            return f"{ceil(whole(value) * factor / MEBI)}Mi"
        return str(ceil(whole(value) * factor))  # whole pieces of something else: graphics cards
    except UsageError:
        return value
