"""What a real node needs of this machine: Linux, root, a few Debian packages, a kernel with the usual features."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bakery_ops.errors import BakeryError, PreflightRefused
from bakery_ops.tools import process

CNI_DIRECTORIES = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

# Program (or container network plugin) -> Debian package that brings it.
_PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "containerd-shim-runc-v2": "containerd",
    "runc": "runc",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "iptables": "iptables",
    "nft": "nftables",
    "conntrack": "conntrack",
    "mmdebstrap": "mmdebstrap",
}
ARCHITECTURE = "x86_64"  # of the images: archive.image_config and the paths in image_base say the same
_PLUGINS = ("ptp", "host-local", "portmap", "loopback")
_PLUGIN_PACKAGE = "containernetworking-plugins"
_REMEDY = "use simulated nodes (--simulated), or run on a Linux machine (x86_64) as root"


def cni_directory() -> Path | None:
    """Where the container network plugins are; None when no directory has all we use."""
    complete = (path for path in CNI_DIRECTORIES if all((path / plugin).exists() for plugin in _PLUGINS))
    return next(complete, None)


def missing_packages() -> list[str]:
    """Debian packages a real node needs and this machine lacks, sorted."""
    missing = {package for program, package in _PROGRAMS.items() if shutil.which(program) is None}
    if cni_directory() is None:
        missing.add(_PLUGIN_PACKAGE)
    return sorted(missing)


def obstacles(*, architecture: str = platform.machine()) -> list[str]:
    """Why a real node cannot run here, a sentence each; [] when it can. Packages we could install are no obstacle."""
    if sys.platform != "linux":
        return [f"a real node needs Linux, and this is {sys.platform}"]
    if architecture != ARCHITECTURE:
        return [f"a real node needs {ARCHITECTURE}, for which its images are made, and this is {architecture}"]
    if os.geteuid() != 0:
        return ["a real node needs root"]
    missing = missing_packages()
    if missing and shutil.which("apt-get") is None:
        return [f"a real node needs {', '.join(missing)}, and there is no apt-get here to install them"]
    return [reason for reason in (_no_overlay(), _no_namespaces(), _no_cgroups()) if reason]


def require_possible() -> None:
    """Raises: PreflightRefused with the first obstacle, the others as details."""
    reasons = obstacles()
    if reasons:
        raise PreflightRefused(reasons[0], remedy=_REMEDY, details=reasons[1:])


def ensure_packages(*, say: Callable[[str], None]) -> None:
    """Install the missing Debian packages, announced. Raises: PreflightRefused when apt-get cannot."""
    missing = missing_packages()
    if not missing:
        return
    say(f"installing Debian packages: {', '.join(missing)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "install", "--yes", "--quiet=2", "--no-install-recommends", *missing]
    try:
        if process.run(argv, env=quiet, check=False, timeout=600).status != 0:
            process.run(["apt-get", "update", "--quiet=2"], env=quiet, timeout=300)
            process.run(argv, env=quiet, timeout=600)
    except BakeryError as error:
        raise PreflightRefused(
            f"apt-get could not install {', '.join(missing)}",
            remedy=f"run: apt-get install {' '.join(missing)}",
            details=error.details,
        ) from error


def _no_overlay() -> str:
    filesystems = Path("/proc/filesystems").read_text()
    if "overlay" in filesystems or _works(["modprobe", "overlay"]):
        return ""
    return "the kernel has no overlay file system, which containers are stored on"


def _no_namespaces() -> str:
    if not _works(["unshare", "--net", "true"]):
        return "this machine does not let us make a network namespace"
    if shutil.which("nft") and not _works(["unshare", "--net", "nft", "list", "ruleset"]):
        return "the kernel has no nftables, which Services are made of"
    return ""


def _no_cgroups() -> str:
    if not any(line.split()[2].startswith("cgroup") for line in Path("/proc/mounts").read_text().splitlines()):
        return "no cgroup file system is mounted"
    return ""


def _works(argv: list[str]) -> bool:
    if shutil.which(argv[0]) is None:
        return False
    return process.run(argv, check=False, timeout=20).status == 0
