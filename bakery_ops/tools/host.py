"""What this machine has, read once into a value."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import NamedTuple

GIB = 1024**3


class Host(NamedTuple):
    """`system`: Linux, Darwin, … as `platform.system` says. `memory`, `free_disk`: bytes. `machine`: x86_64, arm64, …

    `virtualization`: whether a virtual machine runs at native speed here; on Linux that needs /dev/kvm for this user.
    """

    system: str
    machine: str
    cpus: int
    memory: int
    free_disk: int
    virtualization: bool


def read_host(directory: Path | None = None) -> Host:
    """This machine; the free disk is that of `directory` (the home directory by default), which need not exist yet."""
    place = (directory or Path.home()).absolute()
    while not place.exists():
        place = place.parent
    system = platform.system()
    return Host(
        system=system,
        machine=platform.machine(),
        cpus=os.cpu_count() or 1,
        memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        free_disk=shutil.disk_usage(place).free,
        virtualization=system != "Linux" or os.access("/dev/kvm", os.R_OK | os.W_OK),
    )
