"""Names the server takes, and pod specs whose parts refer to each other (docs/faults.md, row B20)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import containers, listed
from bakery_ops.rules.findings import Finding, Severity, finding

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH_SEGMENT = re.compile(r"(?!\.{1,2}$)[^/%]+")
_PORT = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[^=\x00-\x1f\x7f-\U0010ffff]+")

# The controller appends a suffix that has to fit into 63 characters with the name.
_SHORTER = {"CronJob": 52, "StatefulSet": 52, "Job": 63, "Deployment": 253}
_FREE = frozenset({"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"})


def names_are_valid(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Object names, label keys and values as Kubernetes takes them ("Object Names and IDs", "Labels and Selectors")."""
    for manifest in manifests:
        if problem := _name_problem(manifest):
            yield finding("invalid-name", Severity.USAGE, manifest, problem)
        for key, value in manifest.labels.items():
            if not _LABEL_KEY.fullmatch(key):
                yield finding("invalid-label", Severity.USAGE, manifest, f"{key[:80]!r} is no label key")
            elif not _LABEL_VALUE.fullmatch(value or ""):
                message = f"the value of label {key} is no label value (letters, digits, '-_.', at most 63)"
                yield finding("invalid-label", Severity.USAGE, manifest, message)


def _name_problem(manifest: Manifest) -> str:
    kind, name = manifest.ref.kind, manifest.ref.name
    if kind in _FREE:
        return "" if _PATH_SEGMENT.fullmatch(name) else "the name may not hold '/' or '%'"
    if len(name) > _SHORTER.get(kind, 253):
        return f"the name has {len(name)} characters; a {kind}'s has at most {_SHORTER.get(kind, 253)}"
    if kind == "Service" and manifest.ref.group == "":
        return (
            ""
            if _SERVICE.fullmatch(name)
            else "a Service's name has lower-case letters, digits and '-', a letter first"
        )
    if kind == "Namespace":
        return "" if _LABEL.fullmatch(name) else "a namespace's name has lower-case letters, digits and '-'"
    return "" if _SUBDOMAIN.fullmatch(name) else "the name may hold lower-case letters, digits, '-' and '.'"


def pods_are_coherent(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """Names inside a pod: unique, valid, and mounts of volumes that exist."""
    for manifest in manifests:
        spec = manifest.pod_spec
        if not spec:
            continue
        for problem in _pod_problems(manifest, spec):
            yield finding("pod-spec", Severity.USAGE, manifest, problem)


def _pod_problems(manifest: Manifest, spec: Mapping[str, Any]) -> Iterator[str]:
    volumes = {volume.get("name") for volume in listed(spec, "volumes")}
    volumes |= {
        (claim.get("metadata") or {}).get("name") for claim in listed(manifest.spec, "volumeClaimTemplates")
    }  # fmt: skip
    names = Counter(container.get("name") for container in containers(spec))
    for name, count in names.items():
        if name and not _LABEL.fullmatch(name):
            yield f"container name {name[:80]!r} has lower-case letters, digits and '-' only, at most 63"
        if count > 1:
            yield f"{count} containers are called {name!r}"
    for container in containers(spec):
        yield from _container_problems(container, volumes)


def _container_problems(container: Mapping[str, Any], volumes: set[Any]) -> Iterator[str]:
    place = f"container {container.get('name')}"
    variables = Counter(str(variable.get("name") or "") for variable in listed(container, "env"))
    for name, count in variables.items():
        if not _VARIABLE.fullmatch(name):
            yield f"{place}: {name[:80]!r} is no name of an environment variable"
        elif count > 1:
            yield f"{place}: environment variable {name} is set {count} times"
    for mount in listed(container, "volumeMounts"):
        if mount.get("name") not in volumes:
            yield f"{place}: mounts the volume {mount.get('name')!r}, which the pod does not have"
    ports = Counter(str(port["name"]) for port in listed(container, "ports") if port.get("name"))
    for port_name, count in ports.items():
        if not _PORT.fullmatch(port_name):
            yield f"{place}: {port_name[:40]!r} is no port name (at most 15 lower-case letters, digits and '-')"
        if count > 1:
            yield f"{place}: {count} ports are called {port_name!r}"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _probe_problems(container, probe, set(ports), place)


def _probe_problems(container: Mapping[str, Any], probe: str, ports: set[str], place: str) -> Iterator[str]:
    settings = container.get(probe) or {}
    for action in ("httpGet", "tcpSocket"):
        port = (settings.get(action) or {}).get("port")
        if isinstance(port, str) and port not in ports:
            yield f"{place}: {probe} asks port {port!r}, which the container does not have"
