"""What the manifests refer to and nobody brings: neither the render, nor the secrets we make, nor every cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model import secrets
from bakery_ops.model.contract import PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import keeps_values
from bakery_ops.model.references import Reference, references
from bakery_ops.rules.findings import Finding, Severity, finding

# The cluster's own, which a render need not bring.
_CLUSTERS_OWN = frozenset({"StorageClass", "IngressClass", "RuntimeClass", "PersistentVolume"})
_BUILT_IN_ROLES = frozenset({"view", "edit", "admin", "cluster-admin"})
_ALWAYS_THERE = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})


def check(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Dangling references and missing keys (docs/faults.md, row B26)."""
    by_ref = {manifest.ref: manifest for manifest in manifests}
    made = {spec.ref: spec.keys for spec in secrets.wanted(manifests)}
    for manifest in manifests:
        for reference in references(manifest):
            target = by_ref.get(reference.target)
            if target is not None:
                yield from _key(manifest, reference, target)
            elif reference.target in made:
                if reference.key and reference.key not in made[reference.target]:
                    yield _missing_key(manifest, reference)
            elif not reference.optional and not _is_elsewhere(reference.target):
                yield _dangling(manifest, reference)


def _key(manifest: Manifest, reference: Reference, target: Manifest) -> Iterator[Finding]:
    if not reference.key or reference.optional or keeps_values(target):
        return
    held = {key for field in ("data", "stringData", "binaryData") for key in target.body.get(field) or {}}
    if reference.key not in held:
        yield _missing_key(manifest, reference)


def _missing_key(manifest: Manifest, reference: Reference) -> Finding:
    message = f"{reference.place} uses the key {reference.key!r}, which {reference.target} does not have"
    return finding("missing-key", Severity.USAGE, manifest, message, f"add the key to {reference.target}")


def _dangling(manifest: Manifest, reference: Reference) -> Finding:
    """A mistake where the render should bring it itself; else a warning, because the cluster may have it."""
    ours = manifest.labels.get(PART_OF) == PLATFORM
    # An autoscaler of nothing is wrong in every cluster.
    certain = ours or manifest.ref.kind == "HorizontalPodAutoscaler"
    message = f"{reference.place} names {reference.target}, which is not in the render"
    severity = Severity.USAGE if certain else Severity.WARNING
    remedy = "add it, or correct the name" if certain else "it has to be in the cluster already"
    return finding("dangling-reference", severity, manifest, message, remedy)


def _is_elsewhere(target: ObjectRef) -> bool:
    if target.kind in _CLUSTERS_OWN or (target.kind, target.name) in _ALWAYS_THERE:
        return True
    if target.kind == "ClusterRole":
        return target.name in _BUILT_IN_ROLES or target.name.startswith("system:")
    return target.kind == "PriorityClass" and target.name.startswith("system-")
