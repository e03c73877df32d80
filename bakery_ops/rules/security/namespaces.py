"""Where objects may live (docs/faults.md, rows B24 and B25)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model.manifest import Manifest
from bakery_ops.rules.findings import Finding, Severity, finding

PROTECTED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_EXPECTED = frozenset({"Namespace", "PriorityClass"})


def stays_at_home(manifests: Sequence[Manifest], namespace: str, *, strict: bool) -> Iterator[Finding]:
    """Nothing in a protected namespace or in one that neither the profile nor the render names."""
    yield from _nothing_there(manifests, namespace)
    own = {manifest.ref.name for manifest in manifests if manifest.ref.kind == "Namespace"} | {namespace}
    for manifest in manifests:
        place = manifest.ref.name if manifest.ref.kind == "Namespace" else manifest.ref.namespace
        if place in PROTECTED:
            message = f"the namespace {place} belongs to the cluster"
            yield finding(
                "protected-namespace", Severity.REFUSED, manifest, message, "use one of your own: --namespace"
            )
        elif place and place not in own:
            message = f"the namespace {place} is neither the profile's ({namespace}) nor part of the render"
            remedy = f"name it: --namespace {place}, or add a Namespace object"
            yield finding("foreign-namespace", Severity.REFUSED, manifest, message, remedy)
        elif not place and manifest.ref.kind not in _EXPECTED:
            severity = Severity.PREFLIGHT if strict else Severity.WARNING
            message = "belongs to the whole cluster, not to the platform's namespace"
            yield finding("cluster-scoped", severity, manifest, message, "let an administrator apply it once")


def _nothing_there(manifests: Sequence[Manifest], namespace: str) -> Iterator[Finding]:
    """Lock and inventory live in `namespace`: with every object elsewhere, two deploys of the same objects would hold
    two locks, and nobody would look for them there."""
    placed = [manifest for manifest in manifests if manifest.ref.namespace]
    if placed and all(manifest.ref.namespace != namespace for manifest in placed):
        first = placed[0]
        message = f"names the namespace {first.ref.namespace} itself, as all objects do; none goes to {namespace}"
        remedy = f"deploy to where the manifests go: --namespace {first.ref.namespace}; or change it there"
        yield finding("empty-namespace", Severity.REFUSED, first, message, remedy)
