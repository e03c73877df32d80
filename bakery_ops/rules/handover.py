"""Replicas that go over from us to an autoscaler (docs/faults.md, F50).

Whoever applies without a field that was his alone removes it (Kubernetes, "Server-Side Apply"), and a Deployment
without `spec.replicas` has one pod. So where an autoscaler comes and the number leaves the render, the number is first
applied under another manager's name: it stays until the autoscaler decides (Kubernetes, "Transferring Ownership").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import references

HANDOVER_MANAGER = f"{FIELD_MANAGER}-handover"


def autoscaled(graph: Graph) -> frozenset[ObjectRef]:
    """What the autoscalers of the graph scale."""
    scalers = (node.manifest for node in graph.values() if node.ref.kind == "HorizontalPodAutoscaler")
    return frozenset(reference.target for manifest in scalers for reference in references(manifest))


def replicas_to_keep(manifest: Manifest, live: Mapping[str, Any]) -> int | None:
    """The live number of replicas that a write of `manifest` would take away, because it was ours; None for none."""
    if manifest.spec.get("replicas") is not None or not _is_ours(live):
        return None
    count = (live.get("spec") or {}).get("replicas")
    return count if isinstance(count, int) else None


def _is_ours(live: Mapping[str, Any]) -> bool:
    entries = (live.get("metadata") or {}).get("managedFields") or []
    ours = (entry.get("fieldsV1") or {} for entry in entries if entry.get("manager") == FIELD_MANAGER)
    return any("f:replicas" in (fields.get("f:spec") or {}) for fields in ours)


def with_replicas(manifest: Manifest, count: int) -> Manifest:
    """`manifest` as it will stand when the number is kept."""
    return replace(manifest, body={**manifest.body, "spec": {**manifest.spec, "replicas": count}})


def handover(manifest: Manifest, count: int) -> Manifest:
    """The number alone, to be applied by `HANDOVER_MANAGER`."""
    return manifest.only({"replicas": count})
