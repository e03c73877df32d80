"""`invoke test`: lint, then the test tiers in the order of their cost, in one pytest run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bakery_ops.bootstrap.session import REPOSITORY
from bakery_ops.errors import ExitCode, UsageError

TIERS = ("unit", "manifests", "tools", "simulated", "e2e")

_BIN = Path(sys.executable).parent

LINTERS: tuple[tuple[str, ...], ...] = (
    (str(_BIN / "ruff"), "check", "."),
    (str(_BIN / "mypy"),),
    (str(_BIN / "lint-imports"),),
)


def test(tiers: Sequence[str], match: str | None) -> ExitCode:
    """Run `tiers`, all when empty. A failing linter does not keep the tests from running, but it fails the run."""
    wanted = tuple(tiers) or ("lint", *TIERS)
    linted = _lint() if "lint" in wanted else True
    folders = [f"tests/{tier}" for tier in TIERS if tier in wanted and (REPOSITORY / "tests" / tier).is_dir()]
    tested = True
    if folders:
        tested = _run((sys.executable, "-m", "pytest", *folders, *(("-k", match) if match else ())))
    elif match:
        raise UsageError("--match picks tests, but no test tier was chosen")
    return ExitCode.OK if linted and tested else ExitCode.FAILED


def _lint() -> bool:
    results = [_run(linter) for linter in LINTERS]  # every one of them, so that one run shows all there is to mend
    return all(results)


def _run(argv: Sequence[str]) -> bool:
    """Run in the foreground with our own streams, so that the tool's output is what the user sees."""
    started = time.monotonic()
    print(f"── {' '.join([Path(argv[0]).name, *argv[1:]])}", file=sys.stderr, flush=True)  # noqa: T201
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    status = subprocess.run(argv, cwd=REPOSITORY, env=environment, check=False).returncode
    verdict = "ok" if status == 0 else f"exit {status}"
    print(f"── {Path(argv[0]).name}: {verdict} in {time.monotonic() - started:.1f} s", file=sys.stderr)  # noqa: T201
    return status == 0
