"""What a real node leaves on a machine, and how each trace is taken away again: settings, mounts, cgroups, files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bakery_ops.tools import process

# The kubelet writes these machine-wide when they differ from what it wants (container_manager_linux, sysctl).
_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
_SYSCTL_ROOT = Path("/proc/sys")

# Fixed paths in the programs themselves; removed afterwards only where they did not exist before.
_FIXED_PATHS = (
    "/var/lib/kubelet",
    "/var/lib/kubelet/device-plugins",
    "/var/log/containers",
    "/var/lib/cni",
    "/var/lib/cni/results",
    "/run/containerd",
    "/run/containerd/s",
)


class Mount(NamedTuple):
    """A line of /proc/self/mountinfo, cut to what is used: where it is, which file system, and its super options."""

    point: str
    filesystem: str


def read_sysctls() -> dict[str, str]:
    """The settings a kubelet changes, as they are now."""
    paths = {name: _SYSCTL_ROOT / name for name in _SYSCTLS}
    return {name: path.read_text().strip() for name, path in paths.items() if path.exists()}


def restore_sysctls(saved: Mapping[str, str]) -> None:
    """Put back what differs."""
    for name, value in saved.items():
        path = _SYSCTL_ROOT / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def absent_paths() -> tuple[str, ...]:
    """Those of the programs' fixed paths that do not exist yet."""
    return tuple(path for path in _FIXED_PATHS if not Path(path).exists())


def remove_made(absent: Iterable[str]) -> None:
    """Remove directories that did not exist before us and hold nothing but the kubelet's own leftovers."""
    for path in sorted(map(Path, absent), reverse=True):
        for leftover in ("kubelet_internal_checkpoint", "kubelet.sock", "DEPRECATION"):
            (path / leftover).unlink(missing_ok=True)
        with suppress(OSError):
            path.rmdir()


def remove_links_into(directory: Path, *, place: Path = Path("/var/log/containers")) -> None:
    """Remove the kubelet's log links that point below `directory`."""
    for link in place.glob("*.log") if place.is_dir() else ():
        if link.is_symlink() and link.readlink().is_relative_to(directory):
            link.unlink()


def remove_network_results(network: str, *, place: Path = Path("/var/lib/cni/results")) -> None:
    """Remove what libcni remembers about pods of the container network `network`, their loopback device included."""
    for path in place.glob(f"{network}-*-*") if place.is_dir() else ():
        pod = path.name.removeprefix(f"{network}-").partition("-")[0]
        path.unlink(missing_ok=True)
        (place / f"cni-loopback-{pod}-lo").unlink(missing_ok=True)


def parse_mounts(text: str) -> list[Mount]:
    """Read /proc/self/mountinfo; in the kernel's order, which is the order of mounting."""
    mounts = []
    for line in text.splitlines():
        fields = line.split(" ")
        kind = fields[fields.index("-") + 1]
        mounts.append(Mount(fields[4].replace("\\040", " "), kind))
    return mounts


def mounts() -> list[Mount]:
    """What is mounted now."""
    return parse_mounts(Path("/proc/self/mountinfo").read_text())


def unmount_below(directory: Path) -> None:
    """Unmount everything below `directory`, newest first; lazily, since a dying process may still hold a file."""
    points = [mount.point for mount in mounts() if Path(mount.point).is_relative_to(directory)]
    points.reverse()
    for start in range(0, len(points), 100):
        process.run(["umount", "--lazy", *points[start : start + 100]], check=False, timeout=60)


def cgroup_roots() -> list[Path]:
    """Where each cgroup hierarchy is mounted: one for version 2, several for version 1, both on hybrid machines."""
    return [Path(mount.point) for mount in mounts() if mount.filesystem in {"cgroup", "cgroup2"}]


def make_cgroups(name: str) -> None:
    """Make `/name` in every hierarchy; a version 1 cpuset refuses processes until its CPUs are set."""
    for root in cgroup_roots():
        group = root / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (group / setting).exists() and (root / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((root / setting).read_text())
        _give_weight(group, os.cpu_count() or 1)
        controllers = root / "cgroup.controllers"
        if controllers.exists() and controllers.read_text().strip():
            wanted = " ".join(f"+{one}" for one in controllers.read_text().split())
            for place in (root, group):
                with suppress(OSError):
                    (place / "cgroup.subtree_control").write_text(wanted)


def _give_weight(group: Path, cpus: int) -> None:
    """All pods together weigh as much as one process per CPU, as on a node where they are at the top of the tree.

    Left at its default the whole group would count as a single process of this machine, and starve beside a compiler.
    """
    shares = 1024 * cpus
    weight = 1 + (shares - 2) * 9999 // 262142
    for setting, value in (("cpu.shares", shares), ("cpu.weight", weight)):
        if (group / setting).exists():
            (group / setting).write_text(str(value))


def empty_cgroups(name: str) -> None:
    """Kill every process in the cgroups called `name`, then remove them."""
    tops = [root / name for root in cgroup_roots() if (root / name).is_dir()]
    deadline = time.monotonic() + 15
    while (pids := _processes_in(tops)) and time.monotonic() < deadline:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    for top in tops:
        for group, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(group)


def _processes_in(tops: Iterable[Path]) -> set[int]:
    found: set[int] = set()
    for top in tops:
        for group, _, _ in os.walk(top):
            with suppress(OSError):
                found.update(int(line) for line in (Path(group) / "cgroup.procs").read_text().split())
    return found
