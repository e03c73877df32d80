"""Requests and limits that cannot be meant (docs/faults.md, row B21)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakery_ops.errors import UsageError
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.quantities import MEBI, quantity
from bakery_ops.model.references import containers, listed
from bakery_ops.rules.findings import Finding, Severity, finding

_MOST_CPU = 256
_LEAST_MEMORY = MEBI
_MOST_PODS = 150_000
_BYTES = ("memory", "ephemeral-storage", "storage")


def quantities_make_sense(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Unreadable amounts, memory in thousandths of a byte, hundreds of CPUs, too much, endless pods."""
    for manifest in manifests:
        for problem in _count_problems(manifest):
            yield finding("quantity", Severity.USAGE, manifest, problem)
        for place, resources in _resources(manifest):
            for problem in _problems(resources):
                yield finding("quantity", Severity.USAGE, manifest, f"{place}: {problem}")


def _count_problems(manifest: Manifest) -> Iterator[str]:
    # To prove that more of them fit would take all memory of this machine first.
    spec = (manifest.spec.get("jobTemplate") or {}).get("spec") or manifest.spec
    fields = ("replicas", "parallelism") if manifest.ref.is_workload else ()
    for field in ("maxReplicas",) if manifest.ref.kind == "HorizontalPodAutoscaler" else fields:
        count = spec.get(field)
        if isinstance(count, int) and not 0 <= count <= _MOST_PODS:
            yield f"{field} of {count}: a cluster runs from 0 to {_MOST_PODS} pods"


def _resources(manifest: Manifest) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for container in containers(manifest.pod_spec or {}):
        yield f"container {container.get('name')}", container.get("resources") or {}
    for claim in listed(manifest.spec, "volumeClaimTemplates"):
        yield "volumeClaimTemplates", (claim.get("spec") or {}).get("resources") or {}
    if manifest.ref.kind == "PersistentVolumeClaim":
        yield "spec", manifest.spec.get("resources") or {}


def _problems(resources: Mapping[str, Any]) -> Iterator[str]:
    amounts: dict[tuple[str, str], Any] = {}
    for kind in ("requests", "limits"):
        for resource, written in (resources.get(kind) or {}).items():
            try:
                amount = amounts[kind, resource] = quantity(written)
            except UsageError as error:
                yield f"{resource} {kind}: {error}"
                continue
            if amount < 0:
                yield f"{resource} {kind} of {written} is negative"
            elif resource == "cpu" and amount >= _MOST_CPU:
                yield f"cpu {kind} of {written} are {written} whole CPUs; {written}m is thousandths"
            elif resource in _BYTES and 0 < amount < _LEAST_MEMORY:
                yield f"{resource} {kind} of {written} are {float(amount):g} bytes; write Mi or Gi"
    for (kind, resource), amount in amounts.items():
        limit = amounts.get(("limits", resource))
        if kind == "requests" and limit is not None and amount > limit:
            asked, most = (resources[each][resource] for each in ("requests", "limits"))
            yield f"the request for {resource} ({asked}) is above its limit ({most})"
