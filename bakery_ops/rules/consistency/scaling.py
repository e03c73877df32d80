"""Replicas: one owner of the number, and budgets that let a node be drained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bakery_ops.model.contract import AUTOSCALED, PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import references
from bakery_ops.model.selection import Selection
from bakery_ops.model.words import amount
from bakery_ops.rules.findings import Finding, Severity, finding


def one_owner_of_replicas(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Row B16: where an autoscaler decides, `replicas` has two owners and falls back at every deploy."""
    by_ref = {manifest.ref: manifest for manifest in manifests}
    scaled: dict[ObjectRef, Manifest] = {}
    for manifest in manifests:
        if manifest.ref.kind != "HorizontalPodAutoscaler":
            continue
        spec = manifest.spec
        if (spec.get("minReplicas") or 1) > (spec.get("maxReplicas") or 1):
            yield finding("autoscaler-bounds", Severity.USAGE, manifest, "minReplicas is above maxReplicas")
        for reference in references(manifest):
            if reference.target in scaled:
                message = f"{reference.target} is scaled by {scaled[reference.target].ref} too"
                yield finding("autoscaled-twice", Severity.USAGE, manifest, message, "keep one of them")
            scaled[reference.target] = manifest
            target = by_ref.get(reference.target)
            if target is not None and target.spec.get("replicas") is not None:
                message = f"sets replicas, which {manifest.ref} ({manifest.source}) decides"
                remedy = "leave spec.replicas out; the autoscaler's minReplicas is the least"
                yield finding("autoscaled-replicas", Severity.USAGE, target, message, remedy)
    yield from _labels(by_ref, scaled)


def _labels(by_ref: Mapping[ObjectRef, Manifest], scaled: Mapping[ObjectRef, Manifest]) -> Iterator[Finding]:
    """Our label says to the overlays' patches that an autoscaler decides; it has to be true."""
    for ref, manifest in by_ref.items():
        if ref.kind != "Deployment" or manifest.labels.get(PART_OF) != PLATFORM:
            continue
        if (AUTOSCALED in manifest.labels) != (ref in scaled):
            is_labelled = AUTOSCALED in manifest.labels
            message = (
                f"has the label {AUTOSCALED}, but no autoscaler" if is_labelled else f"lacks the label {AUTOSCALED}"
            )
            yield finding("autoscaled-label", Severity.USAGE, manifest, message, "use the component k8s/components/hpa")


def budgets_allow_drains(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """A budget that never allows a disruption blocks every drain of a node (docs/hardening.md, Availability)."""
    selection = Selection(manifest for manifest in manifests if manifest.ref.is_workload)
    least = _least_replicas(manifests)
    for manifest in manifests:
        if manifest.ref.kind != "PodDisruptionBudget":
            continue
        picked = selection.pick(manifest.ref.namespace, manifest.spec.get("selector") or {})
        replicas = sum(least.get(each.ref, 1) for each in picked)
        if not picked:
            yield finding(
                "budget-selects-nothing", Severity.WARNING, manifest, "its selector picks no pod of the render"
            )
        elif _allowed(manifest, replicas) <= 0:
            message = f"allows no disruption with {amount(replicas, 'replica')}, so no node can be drained"
            remedy = "use maxUnavailable: 1, and only where there are at least 2 replicas"
            yield finding("budget-blocks-drain", Severity.WARNING, manifest, message, remedy)


def _allowed(budget: Manifest, replicas: int) -> int:
    most, least = budget.spec.get("maxUnavailable"), budget.spec.get("minAvailable")
    if isinstance(most, int):
        return most if replicas > 1 else 0
    if isinstance(least, int):
        return replicas - least
    if isinstance(least, str) and least.removesuffix("%").isdigit():
        return replicas - -(-replicas * int(least.removesuffix("%")) // 100)
    return 1


def _least_replicas(manifests: Sequence[Manifest]) -> dict[ObjectRef, int]:
    found = {manifest.ref: 1 if (n := manifest.spec.get("replicas")) is None else n for manifest in manifests}
    for manifest in manifests:
        if manifest.ref.kind == "HorizontalPodAutoscaler":
            for reference in references(manifest):
                found[reference.target] = manifest.spec.get("minReplicas") or 1
    return found
