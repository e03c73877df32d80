"""Time commands as whole processes, in turns, and say how they compare."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Run(NamedTuple):
    """One finished process: wall and CPU seconds, peak memory in MB of the largest process, exit code."""

    wall: float
    cpu: float
    peak_mb: float
    status: int
    output: str


def run(argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Run:
    """Run to the end in a child of its own, so that its resources are not mixed with an earlier run's."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        started = time.monotonic()
        ended = subprocess.run(
            [str(part) for part in argv],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        wall = time.monotonic() - started
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = Run(
            wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, ended.returncode, ended.stdout + ended.stderr
        )
        with os.fdopen(writer, "w") as pipe:
            json.dump(result, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = Run(*json.load(pipe))
    os.waitpid(child, 0)
    return found


def in_turns(commands: Mapping[str, Sequence[str | Path]], rounds: int, **kwargs: Any) -> dict[str, list[Run]]:
    """Each command `rounds` times, in the order A B B A A B …, after one warm-up of each that is not counted."""
    for argv in commands.values():
        run(argv, **kwargs)
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        names = list(commands) if number % 2 == 0 else list(reversed(commands))
        for name in names:
            found[name].append(run(commands[name], **kwargs))
    return found


def median(runs: Sequence[Run], field: str = "wall") -> float:
    return statistics.median(getattr(one, field) for one in runs)


def row(name: str, runs: Sequence[Run], reference: Sequence[Run] | None = None) -> dict[str, Any]:
    """Median, minimum and maximum of wall time, CPU and memory; `ratio` of this row's wall time to the reference's."""
    walls = [one.wall for one in runs]
    return {
        "name": name,
        "ratio": round(median(runs) / median(reference), 2) if reference else 1.0,
        "wall": [round(value, 3) for value in (min(walls), statistics.median(walls), max(walls))],
        "cpu": round(median(runs, "cpu"), 3),
        "peak_mb": round(max(one.peak_mb for one in runs), 1),
        "failed": sum(one.status != 0 for one in runs),
    }


def show(title: str, rows: Sequence[Mapping[str, Any]], to: Path | None) -> None:
    print(f"\n{title}")
    print(f"{'':34} {'ratio':>6} {'median s':>9} {'min-max s':>16} {'CPU s':>7} {'peak MB':>8}")
    for line in rows:
        low, middle, high = line["wall"]
        spread = f"{low:.2f}-{high:.2f}"
        print(
            f"{line['name']:34} {line['ratio']:6.2f} {middle:9.2f} {spread:>16} {line['cpu']:7.2f} {line['peak_mb']:8.0f}"  # noqa: E501
        )
    if to is not None:
        to.write_text(json.dumps({"title": title, "rows": list(rows)}, indent=1) + "\n")
