"""Colima's command line (v0.10): its commands and its two JSON answers as values. Nothing here runs anything.

What its help does not say: `start` on a running machine warns, ignores every flag and exits 0; CPUs and memory change
only after `stop`; the disk only grows; the runtime is fixed when the machine is created; Kubernetes is off without
--kubernetes; `delete` keeps the container data on a disk of its own unless --data is given; `status` of a machine that
is not running is exit 1, with the reason on stderr.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from bakery_ops.errors import OperationFailed
from bakery_ops.tools.host import GIB

PROFILE = "k8s-local"
CONTEXT = f"colima-{PROFILE}"
RUNTIME = "docker"


class Size(NamedTuple):
    """`memory`, `disk`: GiB, the units of Colima's flags."""

    name: str
    cpus: int
    memory: int
    disk: int


SIZES = {
    size.name: size
    for size in (
        Size("minimal", cpus=4, memory=8, disk=60),
        Size("standard", cpus=6, memory=12, disk=120),
        Size("rich", cpus=8, memory=16, disk=200),
    )
}


class Instance(NamedTuple):
    """One line of `colima list --json`. `memory`, `disk`: bytes. `runtime`: docker, containerd, …; "" if unknown."""

    name: str
    status: str
    arch: str
    cpus: int
    memory: int
    disk: int
    runtime: str
    kubernetes: bool
    address: str

    @property
    def is_running(self) -> bool:
        return self.status == "Running"


class Status(NamedTuple):
    """What `colima status --json` says of a running machine. `kubernetes`: whether it runs now."""

    driver: str
    runtime: str
    kubernetes: bool
    docker_socket: str


def list_argv(colima: Path) -> tuple[str, ...]:
    """All machines. Asking for one by --profile fails when it does not exist yet (`limactl list NAME`)."""
    return (str(colima), "list", "--json")


def status_argv(colima: Path) -> tuple[str, ...]:
    return (str(colima), "status", "--profile", PROFILE, "--json")


def start_argv(colima: Path, size: Size) -> tuple[str, ...]:
    """The brief's command with the Kubernetes it forgot; `--cpus` is the flag's name, `--cpu` an old alias."""
    return (
        *(str(colima), "start", "--profile", PROFILE, "--runtime", RUNTIME, "--kubernetes"),
        *("--cpus", str(size.cpus), "--memory", str(size.memory), "--disk", str(size.disk)),
    )


def stop_argv(colima: Path) -> tuple[str, ...]:
    return (str(colima), "stop", "--profile", PROFILE)


def delete_argv(colima: Path) -> tuple[str, ...]:
    """Without a question of Colima's own, and with the data: whoever calls has asked."""
    return (str(colima), "delete", "--profile", PROFILE, "--force", "--data")


def parse_list(stdout: str) -> tuple[Instance, ...]:
    """Raises: OperationFailed: not one JSON object per line."""
    return tuple(_instance(_object(line, "list")) for line in stdout.splitlines() if line.strip())


# {"name":"k8s-local","status":"Running","arch":"x86_64","cpus":6,"memory":12884901888,"disk":128849018880,
#  "address":"192.168.106.2","runtime":"docker+k3s"}; "runtime" is missing for a machine that never started.
def _instance(fields: dict[str, Any]) -> Instance:
    runtime, _, extra = str(fields.get("runtime", "")).partition("+")
    try:
        return Instance(
            name=str(fields["name"]),
            status=str(fields.get("status", "")),
            arch=str(fields.get("arch", "")),
            cpus=int(fields.get("cpus", 0)),
            memory=int(fields.get("memory", 0)),
            disk=int(fields.get("disk", 0)),
            runtime=runtime,
            kubernetes=extra == "k3s",
            address=str(fields.get("address", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise OperationFailed(f"colima list described a machine in words we do not know: {fields}") from error


def parse_status(stdout: str) -> Status:
    """Raises: OperationFailed: not a JSON object."""
    fields = _object(stdout, "status")
    return Status(
        driver=str(fields.get("driver", "")),
        runtime=str(fields.get("runtime", "")),
        kubernetes=fields.get("kubernetes") is True,
        docker_socket=str(fields.get("docker_socket", "")),
    )


def _object(text: str, command: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise OperationFailed(f"colima {command} --json did not answer in JSON: {text[:200]!r}") from error
    if not isinstance(value, dict):
        raise OperationFailed(f"colima {command} --json did not answer with an object: {text[:200]!r}")
    return value


def message_of(stderr: str) -> str:
    """The last message of Colima's log on stderr, without its time and level."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    if not lines:
        return ""
    _, found, quoted = lines[-1].partition('msg="')
    return quoted.rsplit('"', 1)[0].replace('\\"', '"') if found else lines[-1]


def in_gib(count: int) -> str:
    """Bytes as people say them: `12 GiB`, `11.5 GiB`."""
    return f"{count / GIB:.1f}".removesuffix(".0") + " GiB"
