"""Time commands as whole processes, in turns, and say how they compare."""

from __future__ import annotations

import json
import os
import pty
import signal
import statistics
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

TIMED_OUT = -int(signal.SIGKILL)


class Run(NamedTuple):
    """One finished process.

    Attributes:
        wall, cpu: Seconds; CPU includes every process it started and waited for.
        peak_mb: Of the largest single process among them.
        status: Exit code, `TIMED_OUT` when it was ended because its time was up.
        began: When it was started, in seconds since the epoch.
    """

    wall: float
    cpu: float
    peak_mb: float
    status: int
    output: str
    began: float = 0.0

    @property
    def ended(self) -> float:
        """Seconds since the epoch."""
        return self.began + self.wall


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
    terminal: bool = False,
) -> Run:
    """Run to the end, in a process group of its own that is ended as a whole when `timeout` (seconds) has passed.

    `terminal`: what it writes goes to a terminal of 160 x 50, and what it draws there is the output.
    """
    with tempfile.TemporaryFile() as kept:
        with _screen(kept) if terminal else nullcontext(kept) as output:
            began, started = time.time(), time.monotonic()
            process = subprocess.Popen(
                [str(part) for part in argv],
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            timer = threading.Timer(timeout, _end, [process.pid])
            timer.start()
            try:
                _, status, used = os.wait4(process.pid, 0)
            except BaseException:
                _end(process.pid)
                process.wait()
                raise
            finally:
                timer.cancel()
            wall = time.monotonic() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        kept.seek(0)
        text = kept.read().decode("utf-8", "replace")
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, process.returncode, text, began)


@contextmanager
def _screen(kept: IO[bytes]) -> Iterator[int]:
    """A terminal to draw on; what is drawn is copied to `kept`."""
    reader, writer = pty.openpty()
    termios.tcsetwinsize(writer, (50, 160))

    def copy() -> None:
        with suppress(OSError):  # how Linux says that the last writer is gone
            while piece := os.read(reader, 65536):
                kept.write(piece)

    thread = threading.Thread(target=copy, name="screen")
    thread.start()
    try:
        yield writer
    finally:
        os.close(writer)
        thread.join()
        os.close(reader)


def _end(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def turns(names: Sequence[str], rounds: int) -> list[str]:
    """`names` in the order A B B A A B …, so that what drifts with time hits all alike."""
    return [name for number in range(rounds) for name in (names if number % 2 == 0 else list(reversed(names)))]


def in_turns(commands: Mapping[str, Sequence[str | Path]], rounds: int, **kwargs: Any) -> dict[str, list[Run]]:
    """Each command `rounds` times, in turns, after one warm-up of each that is not counted."""
    for argv in commands.values():
        run(argv, **kwargs)
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for name in turns(list(commands), rounds):
        found[name].append(run(commands[name], **kwargs))
    return found


def median(runs: Sequence[Run], field: str = "wall") -> float:
    return float(statistics.median(getattr(one, field) for one in runs))


def spread(values: Sequence[float], digits: int = 3) -> list[float]:
    """Minimum, median, maximum."""
    return [round(value, digits) for value in (min(values), statistics.median(values), max(values))]


def row(name: str, runs: Sequence[Run], reference: Sequence[Run] | None = None) -> dict[str, Any]:
    """Median, minimum and maximum of wall time, CPU and memory; `ratio` of this row's wall time to the reference's."""
    return {
        "name": name,
        "ratio": round(median(runs) / median(reference), 2) if reference else 1.0,
        "wall": spread([one.wall for one in runs]),
        "cpu": round(median(runs, "cpu"), 3),
        "peak_mb": round(max(one.peak_mb for one in runs), 1),
        "failed": sum(one.status != 0 for one in runs),
        "rounds": len(runs),
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
