"""Where objects may live (docs/faults.md, rows B24 and B25)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model.contract import PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import RBAC
from bakery_ops.rules.findings import Finding, Severity, finding

PROTECTED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
_EXPECTED = frozenset({"Namespace", "PriorityClass"})


def stays_at_home(manifests: Sequence[Manifest], namespace: str, *, strict: bool) -> Iterator[Finding]:
    """Nothing in a protected namespace or in one that neither the profile nor the render names."""
    yield from _is_used(manifests, namespace)
    own = {manifest.ref.name for manifest in manifests if manifest.ref.kind == "Namespace"} | {namespace}
    for manifest in manifests:
        place = manifest.ref.name if manifest.ref.kind == "Namespace" else manifest.ref.namespace
        if place in PROTECTED and _only_grants(manifest):
            severity = Severity.PREFLIGHT if strict else Severity.WARNING
            message = f"gives permissions in the namespace {place}, which belongs to the cluster"
            yield finding("cluster-scoped", severity, manifest, message, "let an administrator apply it once")
        elif place in PROTECTED:
            message = f"the namespace {place} belongs to the cluster"
            yield finding("protected-namespace", Severity.REFUSED, manifest, message, _remedy(manifest, namespace))
        elif place and place not in own:
            message = f"the namespace {place} is neither the profile's ({namespace}) nor part of the render"
            remedy = f"name it: --namespace {place}, or add a Namespace object"
            yield finding("foreign-namespace", Severity.REFUSED, manifest, message, remedy)
        elif not place and manifest.ref.kind not in _EXPECTED:
            severity = Severity.PREFLIGHT if strict else Severity.WARNING
            message = "belongs to the whole cluster, not to the platform's namespace"
            yield finding("cluster-scoped", severity, manifest, message, "let an administrator apply it once")


def _only_grants(manifest: Manifest) -> bool:
    """Whether it is one of the permissions that operators need at home (leader election, the API server's own CAs).

    A ClusterRoleBinding gives more, and everywhere: to refuse these alone would protect nothing.
    """
    return manifest.ref[:2] in ((RBAC, "Role"), (RBAC, "RoleBinding")) and manifest.labels.get(PART_OF) != PLATFORM


def _remedy(manifest: Manifest, namespace: str) -> str:
    if manifest.ref.namespace in ("", namespace):
        return "use one of your own: --namespace"
    return "it names that namespace itself: change it there, or by `namespace:` in a kustomization that takes it in"


def _is_used(manifests: Sequence[Manifest], namespace: str) -> Iterator[Finding]:
    """What is named has to be where the objects go: lock, inventory and releases are kept there.

    An overlay that sets its own namespace is not moved by --namespace, and must not seem to be.
    """
    whom, whence = f"namespace/{namespace}", "the profile or --namespace"
    places = {manifest.ref.namespace for manifest in manifests} - {""}
    if namespace in PROTECTED and namespace not in places:
        message = f"the namespace {namespace} belongs to the cluster"
        yield Finding(
            "protected-namespace", Severity.REFUSED, whom, whence, message, "use one of your own: --namespace"
        )
    elif places and namespace not in places:
        message = f"no object goes to the namespace {namespace}: each names its own ({', '.join(sorted(places))})"
        remedy = f"name the one they go to: --namespace {min(places)}; or change `namespace:` in the overlay"
        yield Finding("unused-namespace", Severity.REFUSED, whom, whence, message, remedy)
