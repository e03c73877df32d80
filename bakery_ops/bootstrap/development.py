"""`invoke test`: lint, then the test tiers in the order of their cost."""

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

# Tiers that run together, and by how many processes. Deploys on simulated nodes mostly wait, for hold times and for
# locks to run out, so four share two cores well; the real node has the machine to itself.
RUNS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("unit", "manifests"), 2),
    (("tools",), 0),  # builds programs where the cache is empty: nothing that is timed runs beside it
    (("simulated",), 4),
    (("e2e",), 0),
)

_BIN = Path(sys.executable).parent
_NO_TESTS = 5  # pytest's exit code when nothing was chosen, which one run of several may say to --match

LINTERS: tuple[tuple[str, ...], ...] = (
    (str(_BIN / "ruff"), "check", "."),
    (str(_BIN / "mypy"),),
    (str(_BIN / "lint-imports"),),
)


def test(tiers: Sequence[str], match: str | None) -> ExitCode:
    """Run `tiers`, all when empty. A failing linter does not keep the tests from running, but it fails the run."""
    wanted = tuple(tiers) or ("lint", *TIERS)
    linted = _lint() if "lint" in wanted else True
    if match and not set(wanted) & set(TIERS):
        raise UsageError("--match picks tests, but no test tier was chosen")
    # All of them, also after a failure, so that one run shows all there is to mend.
    ended = [_tested(chosen, processes, match) for tiers, processes in RUNS if (chosen := _there(tiers, wanted))]
    if match and set(ended) == {_NO_TESTS}:
        raise UsageError(f"--match {match}: no test of these tiers is called like that")
    tested = set(ended) <= ({0, _NO_TESTS} if match else {0})
    return ExitCode.OK if linted and tested else ExitCode.FAILED


def _there(tiers: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The folders of those of `tiers` that are wanted and exist."""
    return [f"tests/{tier}" for tier in tiers if tier in wanted and (REPOSITORY / "tests" / tier).is_dir()]


def _tested(folders: Sequence[str], processes: int, match: str | None) -> int:
    spread = ("-n", str(processes), "--dist", "loadfile") if processes and not match else ()
    chosen = ("-k", match) if match else ()
    return _run((sys.executable, "-m", "pytest", *folders, *spread, *chosen))


def _lint() -> bool:
    results = [_run(linter) for linter in LINTERS]  # every one of them, so that one run shows all there is to mend
    return not any(results)


def _run(argv: Sequence[str]) -> int:
    """Run in the foreground with our own streams, so that the tool's output is what the user sees; its exit code."""
    started = time.monotonic()
    print(f"── {' '.join([Path(argv[0]).name, *argv[1:]])}", file=sys.stderr, flush=True)  # noqa: T201
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
    status = subprocess.run(argv, cwd=REPOSITORY, env=environment, check=False).returncode
    verdict = "ok" if status == 0 else f"exit {status}"
    print(f"── {Path(argv[0]).name}: {verdict} in {time.monotonic() - started:.1f} s", file=sys.stderr)  # noqa: T201
    return status
