"""The local machine: one Colima virtual machine with Kubernetes, made, described, stopped and deleted.

Colima exits 0 without having done what was asked (see `tools.colima`), so each verb reads the machine first, decides,
and says what is different and what would change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bakery_ops.errors import OperationFailed, PreflightRefused, TargetRefused, UsageError
from bakery_ops.tools import colima
from bakery_ops.tools.colima import PROFILE, SIZES, Instance, Size, in_gib
from bakery_ops.tools.host import GIB, Host
from bakery_ops.workflows.ports import Say, Shell

START_TIMEOUT = 1800.0
"""Seconds. A first start downloads a system image and Kubernetes."""

_STOP_TIMEOUT = 300.0
_QUERY_TIMEOUT = 30.0

_HOST_KEEPS = 2 * GIB
"""Memory the host needs beside the virtual machine, or both swap."""

_DISK_NEEDED = 30 * GIB
"""What images, volumes and build cache of the platform take; the rest of the virtual disk is claimed as it is used."""


@dataclass(frozen=True)
class StartReport:
    """`action`: what was done. `notes`: what the user should know, one sentence each."""

    action: Literal["created", "started", "already running"]
    instance: Instance
    context: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class StatusReport:
    """`instance` is None where there is no machine. `kubernetes`: whether it answers inside the machine now."""

    instance: Instance | None
    kubernetes: bool
    docker_socket: str
    context: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EndReport:
    """`changed`: whether there was anything to stop or delete. `sentence`: what happened."""

    changed: bool
    sentence: str


def start(shell: Shell, host: Host, size_name: str, say: Say) -> StartReport:
    """Make sure the machine runs with at least `size_name`, and with Kubernetes.

    Args:
        shell: Runs colima.
        host: This machine.
        size_name: A key of `tools.colima.SIZES`.
        say: Gets each line Colima prints while it works.
    Raises:
        UsageError: no such size.
        PreflightRefused: this host cannot carry it (all problems at once), or an existing machine would have to be
            stopped or deleted first.
        CommandFailed, TimedOut: colima start failed, or took half an hour.
        OperationFailed: colima start ended well and yet the machine is not there.
    """
    size = _size(size_name)
    missing = missing_programs(shell, host)
    existing = None if missing else _existing(shell)
    if existing is not None and (obstacles := differences(existing, size)):
        raise PreflightRefused(
            f"the Colima machine {PROFILE} exists and cannot become what was asked by starting it",
            details=[f"{difference.what}; {difference.why}" for difference in obstacles],
            remedy=max(obstacles, key=lambda difference: difference.severity).remedy(size),
        )
    if existing is not None and existing.is_running:
        return StartReport("already running", existing, colima.CONTEXT, _notes(host, size, existing))
    problems = (*missing, *host_problems(host, size, exists=existing is not None))
    if problems:
        raise PreflightRefused(
            f"this machine cannot run a {size.name} Colima machine",
            details=problems,
            remedy="solve these and run `invoke colima.start` again" + _smaller(host, size),
        )
    wanted = size if existing is None else size._replace(disk=max(size.disk, existing.disk // GIB))
    say("Colima starts no Kubernetes unless told to: adding --kubernetes")
    shell.run(colima.start_argv(_colima(shell), wanted), timeout=START_TIMEOUT, on_line=say)
    instance = _existing(shell)
    if instance is None or not instance.is_running:
        state = "does not exist" if instance is None else f"is {instance.status}"
        raise OperationFailed(
            f"colima start ended without an error, but the machine {PROFILE} {state}",
            remedy=f"colima start --profile {PROFILE} --verbose shows more",
        )
    action: Literal["created", "started"] = "created" if existing is None else "started"
    return StartReport(action, instance, colima.CONTEXT, _notes(host, size, instance))


def status(shell: Shell) -> StatusReport:
    """What there is. Raises: UsageError: colima is not installed. CommandFailed: it does not answer."""
    instance = _existing(shell)
    if instance is None:
        notes = (f"there is no Colima machine {PROFILE}; `invoke colima.start` makes one",)
        return StatusReport(None, kubernetes=False, docker_socket="", context=colima.CONTEXT, notes=notes)
    if not instance.is_running:
        notes = (f"the machine is {instance.status}; `invoke colima.start` starts it",)
        return StatusReport(instance, kubernetes=False, docker_socket="", context=colima.CONTEXT, notes=notes)
    result = shell.run(colima.status_argv(_colima(shell)), timeout=_QUERY_TIMEOUT, check=False)
    if result.status != 0:  # it stopped between the two questions, or its runtime does not answer
        notes = (colima.message_of(result.stderr) or f"colima status ended with {result.status}",)
        return StatusReport(instance, kubernetes=False, docker_socket="", context=colima.CONTEXT, notes=notes)
    now = colima.parse_status(result.stdout)
    off = "" if now.kubernetes else "Kubernetes does not run in it; `invoke colima.stop`, then `invoke colima.start`"
    return StatusReport(instance, now.kubernetes, now.docker_socket, colima.CONTEXT, (off,) if off else ())


def stop(shell: Shell, say: Say) -> EndReport:
    """Stop the machine and keep its data. Raises: UsageError, CommandFailed, TimedOut (5 minutes)."""
    instance = _existing(shell)
    if instance is None or not instance.is_running:
        state = "there is no machine" if instance is None else "already not running:"
        return EndReport(changed=False, sentence=f"{state} {PROFILE}; nothing to stop")
    shell.run(colima.stop_argv(_colima(shell)), timeout=_STOP_TIMEOUT, on_line=say)
    return EndReport(
        changed=True, sentence=f"stopped {PROFILE}; its data is kept, `invoke colima.start` brings it back"
    )


def delete(shell: Shell, ask: Callable[[str], bool], say: Say) -> EndReport:
    """Delete the machine with everything in it.

    Args:
        ask: Gets the question, answers whether to go on; asked only when there is something to lose.
    Raises: TargetRefused: the answer was no. UsageError, CommandFailed, TimedOut (5 minutes).
    """
    instance = _existing(shell)
    if instance is None:
        return EndReport(changed=False, sentence=f"there is no machine {PROFILE}; nothing to delete")
    question = (
        f"Delete the Colima machine {PROFILE} ({in_gib(instance.disk)} disk)? "
        "All images, volumes and databases in it are lost."
    )
    if not ask(question):
        raise TargetRefused(f"the Colima machine {PROFILE} was not deleted", remedy="confirm, or pass --yes")
    shell.run(colima.delete_argv(_colima(shell)), timeout=_STOP_TIMEOUT, on_line=say)
    return EndReport(changed=True, sentence=f"deleted {PROFILE} and all its data")


@dataclass(frozen=True)
class Difference:
    """One way in which an existing machine is not what was asked. `severity`: 1 cured by stopping, 2 by deleting."""

    what: str
    why: str
    severity: Literal[1, 2]

    def remedy(self, size: Size) -> str:
        restart = f"invoke colima.start --size {size.name}"
        if self.severity == 1:
            return f"invoke colima.stop, then {restart}"
        return f"invoke colima.delete (its data is lost), then {restart}"


def differences(instance: Instance, size: Size) -> tuple[Difference, ...]:
    """What starting cannot cure. Larger than asked is no difference; a stopped machine takes new CPUs and memory."""
    found = []
    if instance.runtime not in {"", colima.RUNTIME}:
        why = "the runtime is fixed when a machine is created"
        found.append(Difference(f"its runtime is {instance.runtime}, not {colima.RUNTIME}", why, 2))
    if instance.status not in {"Running", "Stopped", ""}:
        found.append(Difference(f"it is {instance.status}", "Lima cannot start it in that state", 2))
    if instance.is_running:
        why = "a running machine ignores new settings; they take effect when it starts"
        if instance.cpus < size.cpus:
            found.append(Difference(f"it runs with {instance.cpus} CPUs, not {size.cpus}", why, 1))
        if instance.memory < size.memory * GIB:
            found.append(Difference(f"it runs with {in_gib(instance.memory)} memory, not {size.memory} GiB", why, 1))
        if instance.disk < size.disk * GIB:
            found.append(Difference(f"its disk has {in_gib(instance.disk)}, not {size.disk} GiB", why, 1))
        if instance.runtime and not instance.kubernetes:
            found.append(Difference("it runs without Kubernetes", why, 1))
    return tuple(found)


def missing_programs(shell: Shell, host: Host) -> tuple[str, ...]:
    """A sentence, with how to get it, for each program Colima needs here and does not find."""
    programs = ["colima", "limactl", "lima", "docker", "kubectl"]
    if host.system == "Linux":
        programs += [f"qemu-system-{host.machine}", "qemu-img"]
    return tuple(problem for program in programs if (problem := _missing(shell, program)))


def host_problems(host: Host, size: Size, *, exists: bool) -> tuple[str, ...]:
    """Everything that keeps this host from carrying `size`. `exists`: the machine is there, and so is its disk."""
    if host.system not in {"Darwin", "Linux"}:
        return (f"Colima runs on macOS and Linux, and this is {host.system}; use WSL 2 or a remote cluster",)
    problems = []
    if not host.virtualization:
        problems.append(
            "no hardware virtualization for this user (/dev/kvm): turn it on in the firmware or hypervisor,"
        )
        problems[-1] += " and join the group kvm"
    if host.cpus < size.cpus:
        problems.append(f"{size.cpus} CPUs wanted, the host has {host.cpus}")
    if host.memory < size.memory * GIB + _HOST_KEEPS:
        total = f"{size.memory} GiB memory wanted and {in_gib(_HOST_KEEPS)} left for the host"
        problems.append(f"{total}, which has {in_gib(host.memory)}")
    if not exists and host.free_disk < _DISK_NEEDED:
        problems.append(f"at least {in_gib(_DISK_NEEDED)} free disk wanted, the host has {in_gib(host.free_disk)}")
    return tuple(problems)


def _missing(shell: Shell, program: str) -> str:
    try:
        shell.find(program)
    except UsageError as error:
        return "; ".join((f"{error}: {error.remedy}", *error.details))
    return ""


def _smaller(host: Host, size: Size) -> str:
    """The largest smaller size whose CPUs and memory this host has, as the end of a sentence."""
    fitting = [
        other.name
        for other in SIZES.values()
        if other.cpus < size.cpus and other.cpus <= host.cpus and other.memory * GIB + _HOST_KEEPS <= host.memory
    ]
    return f", or with --size {fitting[-1]}, which fits here" if fitting else ""


def _notes(host: Host, size: Size, instance: Instance) -> tuple[str, ...]:
    notes = []
    if not instance.kubernetes:
        notes.append("Colima does not report Kubernetes for it; `invoke colima.status` asks the machine itself")
    if (instance.cpus, instance.memory, instance.disk) != (size.cpus, size.memory * GIB, size.disk * GIB):
        has = f"{instance.cpus} CPUs, {in_gib(instance.memory)}, {in_gib(instance.disk)} disk"
        notes.append(f"it has {has}; {size.name} asks for {size.cpus}, {size.memory} GiB, {size.disk} GiB")
    if host.free_disk < size.disk * GIB:
        notes.append(f"its disk grows up to {size.disk} GiB as it fills; the host has {in_gib(host.free_disk)} free")
    return tuple(notes)


def _size(name: str) -> Size:
    try:
        return SIZES[name]
    except KeyError:
        raise UsageError(f"there is no size {name!r}", remedy=f"known: {', '.join(SIZES)}") from None


def _colima(shell: Shell) -> Path:
    return shell.find("colima")


def _existing(shell: Shell) -> Instance | None:
    result = shell.run(colima.list_argv(_colima(shell)), timeout=_QUERY_TIMEOUT)
    return next((each for each in colima.parse_list(result.stdout) if each.name == PROFILE), None)
