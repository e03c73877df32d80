"""Pod Security Standards: the baseline for everyone, restricted where the namespace enforces it or production asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bakery_ops.model.contract import PART_OF, PLATFORM
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import containers, listed
from bakery_ops.rules.findings import Finding, Severity, finding

ENFORCE = "pod-security.kubernetes.io/enforce"
_BASELINE_CAPABILITIES = frozenset(
    [
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    ]
)
_RESTRICTED_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "name",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_SAFE_SYSCTLS = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
    ]
)


def no_more_rights_than_allowed(manifests: Sequence[Manifest], *, strict: bool) -> Iterator[Finding]:
    """What pod-security-admission would refuse, told before anything is sent (docs/hardening.md, Pod Security)."""
    levels = {
        manifest.ref.name: manifest.labels.get(ENFORCE) for manifest in manifests if manifest.ref.kind == "Namespace"
    }
    for manifest in manifests:
        spec = manifest.pod_spec
        if not spec:
            continue
        level = levels.get(manifest.ref.namespace)
        ours = manifest.labels.get(PART_OF) == PLATFORM
        binding = Severity.PREFLIGHT if level in ("baseline", "restricted") or strict or ours else Severity.WARNING
        for rule, problem in baseline(spec):
            yield finding(rule, binding, manifest, problem)
        if level == "restricted" or ours or strict:
            severity = Severity.PREFLIGHT if level == "restricted" or ours else Severity.WARNING
            for rule, problem in restricted(spec):
                yield finding(rule, severity, manifest, problem)


def baseline(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(rule, problem) of what even the baseline level forbids."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield "host-namespaces", f"{field} opens the machine to the pod"
    for volume in listed(spec, "volumes"):
        if volume.get("hostPath") is not None:
            yield "host-path", f"volume {volume.get('name')} is a directory of the machine (hostPath)"
    for sysctl in listed(spec.get("securityContext") or {}, "sysctls"):
        if sysctl.get("name") not in _SAFE_SYSCTLS:
            yield "unsafe-sysctl", f"sysctl {sysctl.get('name')} is not a safe one"
    for container in containers(spec):
        place, context = f"container {container.get('name')}", container.get("securityContext") or {}
        if context.get("privileged"):
            yield "privileged", f"{place} is privileged"
        added = set((context.get("capabilities") or {}).get("add") or ())
        if extra := added - _BASELINE_CAPABILITIES:
            yield "capabilities", f"{place} adds {', '.join(sorted(extra))}"
        if any(port.get("hostPort") for port in listed(container, "ports")):
            yield "host-port", f"{place} takes a port of the machine (hostPort)"
        if context.get("procMount") not in (None, "Default"):
            yield "proc-mount", f"{place} has procMount {context.get('procMount')}"


def restricted(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(rule, problem) of what the restricted level demands beyond the baseline."""
    pod = spec.get("securityContext") or {}
    for volume in listed(spec, "volumes"):
        kinds = set(volume) - _RESTRICTED_VOLUMES - {"hostPath"}
        if kinds:
            yield "volume-type", f"volume {volume.get('name')} is a {', '.join(sorted(kinds))}"
    for container in containers(spec):
        place, context = f"container {container.get('name')}", container.get("securityContext") or {}
        capabilities = context.get("capabilities") or {}
        if context.get("allowPrivilegeEscalation") is not False:
            yield "privilege-escalation", f"{place}: set allowPrivilegeEscalation: false"
        if "ALL" not in (capabilities.get("drop") or ()):
            yield "capabilities", f"{place}: drop ALL capabilities"
        if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
            yield "capabilities", f"{place}: only NET_BIND_SERVICE may be added back"
        if not context.get("runAsNonRoot", pod.get("runAsNonRoot")):
            yield "run-as-root", f"{place}: set runAsNonRoot: true"
        if context.get("runAsUser", pod.get("runAsUser")) == 0:
            yield "run-as-root", f"{place}: runAsUser is 0"
        profile = context.get("seccompProfile") or pod.get("seccompProfile") or {}
        if profile.get("type") not in ("RuntimeDefault", "Localhost"):
            yield "seccomp", f"{place}: set seccompProfile.type: RuntimeDefault"
