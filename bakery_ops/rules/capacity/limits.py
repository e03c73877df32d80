"""What a ResourceQuota would refuse, and the storage that is claimed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakery_ops.errors import UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.model.quantities import cpu_text, memory_text, milli_cpu, whole
from bakery_ops.model.references import listed
from bakery_ops.rules.capacity.demand import CPU, MEMORY
from bakery_ops.rules.capacity.phases import Phase


def quota_problems(graph: Graph, phases: Sequence[Phase]) -> Iterator[str]:
    """Quotas of the render that one of the phases would exceed, with the arithmetic (docs/faults.md, row B52).

    One for some pods only (`scopes`, `scopeSelector`) is left to the API server: it would refuse what others use.
    """
    for node in graph.values():
        spec = node.manifest.spec
        if node.ref.kind != "ResourceQuota" or spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for resource, allowed in (spec.get("hard") or {}).items():
            worst = max(phases, key=lambda phase: _asked(phase, node.ref.namespace, resource))
            asked = _asked(worst, node.ref.namespace, resource)
            name = _split(resource)[1]
            is_cpu = name == CPU
            try:
                limit = milli_cpu(allowed) if is_cpu else whole(allowed)
            except UsageError:
                continue
            if asked > limit:
                text = cpu_text if is_cpu else memory_text if name == MEMORY else str
                yield f"quota {node.ref.name}: {resource} {text(limit)}; {worst.name} asks for {text(asked)}"


def _asked(phase: Phase, namespace: str, resource: str) -> int:
    mine = [demand for demand in phase.demands if demand.namespace == namespace]
    if resource in ("pods", "count/pods"):
        return len(mine)
    kind, name = _split(resource)
    return sum((demand.limit if kind == "limits" else demand.request).get(name, 0) for demand in mine)


def _split(resource: str) -> tuple[str, str]:
    """ "requests.nvidia.com/gpu" -> ("requests", "nvidia.com/gpu"); a bare name means what is requested."""
    kind, _, name = resource.partition(".")
    return (kind, name) if kind in ("requests", "limits") else ("requests", resource)


def claims_total(graph: Graph) -> int:
    """Bytes of all claims, those that StatefulSets make for each replica included."""
    total = 0
    for node in graph.values():
        if node.ref.kind == "PersistentVolumeClaim":
            total += _size(node.manifest.spec)
        elif node.ref.kind == "StatefulSet":
            replicas = node.manifest.spec.get("replicas")
            for claim in listed(node.manifest.spec, "volumeClaimTemplates"):
                total += _size(claim.get("spec") or {}) * (1 if replicas is None else replicas)
    return total


def _size(spec: Mapping[str, Any]) -> int:
    try:
        return whole(((spec.get("resources") or {}).get("requests") or {}).get("storage", 0))
    except UsageError:
        return 0
