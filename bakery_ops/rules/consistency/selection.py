"""Selectors and what they pick."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import containers, listed
from bakery_ops.model.selection import Selection, matches, pod_labels
from bakery_ops.rules.findings import Finding, Severity, finding

_SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")


def selectors_match(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Row B14: a controller whose selector does not pick its own pods is refused by the server."""
    for manifest in manifests:
        selector = manifest.spec.get("selector")
        if manifest.ref.kind not in _SELECTING or not isinstance(selector, dict):
            continue
        if not matches(selector, pod_labels(manifest)):
            yield finding(
                "selector-mismatch",
                Severity.USAGE,
                manifest,
                "the selector does not match the labels of its own pod template",
                "make spec.selector.matchLabels a part of spec.template.metadata.labels",
            )


def services_reach_pods(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Row B15: a Service that selects nothing, or sends traffic to a port name that no container has."""
    selection = Selection(manifest for manifest in manifests if manifest.ref.is_workload)
    # With custom kinds in the render some operator may start pods that we cannot see.
    severity = Severity.WARNING if any(manifest.ref.is_custom for manifest in manifests) else Severity.USAGE
    for manifest in manifests:
        if manifest.ref[:2] != ("", "Service") or not manifest.spec.get("selector"):
            continue
        behind = selection.behind(manifest)
        if not behind:
            message = "its selector picks no pod of the render"
            remedy = "compare spec.selector with the labels of the pod templates"
            yield finding("service-selects-nothing", severity, manifest, message, remedy)
        for port in listed(manifest.spec, "ports"):
            yield from _target(manifest, behind, port.get("targetPort"))


def _target(service: Manifest, behind: Sequence[Manifest], target: int | str | None) -> Iterator[Finding]:
    if not isinstance(target, str) or target.isdigit():
        return
    for workload in behind:
        names = {
            port.get("name")
            for container in containers(workload.pod_spec or {})
            for port in listed(container, "ports")
        }  # fmt: skip
        if target not in names:
            known = ", ".join(sorted(name for name in names if name)) or "none"
            message = f"targetPort {target!r} is no port of {workload.ref} (it has: {known})"
            yield finding("service-target-port", Severity.USAGE, service, message, "name a port of the container")
