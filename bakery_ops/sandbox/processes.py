"""Which process is which: a recorded process id is only ever signalled while it still means the process we started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MARK = "BAKERY_SANDBOX_DIRECTORY"
"""Environment variable every process of an instance carries: its directory. Finds what a crash left unrecorded."""

_PROC = Path("/proc")


def identity(pid: int) -> str:
    """What makes this process this one: boot and start time, or "" when no such process runs (a zombie does not)."""
    if not _PROC.joinpath("self/stat").exists():
        return _identity_from_ps(pid)
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    # The second field is the program's name in parentheses and may hold anything, spaces and parentheses included.
    fields = text[text.rindex(")") + 2 :].split()
    if fields[0] in {"Z", "X"}:
        return ""
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[19]}"


def _identity_from_ps(pid: int) -> str:
    argv = ["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=False)
    state, _, started = listed.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()


def is_running(pid: int, known_as: str) -> bool:
    """Whether process `pid` is still the one `identity` called `known_as`; a child of ours that ended is reaped."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return known_as != "" and identity(pid) == known_as


def end(pid: int, known_as: str, *, grace: float) -> None:
    """Ask a process to end; make its whole process group end `grace` seconds later. A recycled id is left alone."""
    if not is_running(pid, known_as):
        return
    _signal(pid, signal.SIGTERM)
    if not _gone(pid, known_as, grace):
        _signal_group(pid, signal.SIGKILL)
        _gone(pid, known_as, 5.0)


def end_all(processes: Iterable[tuple[int, str]], *, grace: float) -> None:
    """End several processes at once: all are asked first, then all are waited for."""
    listed = [(pid, known_as) for pid, known_as in processes if is_running(pid, known_as)]
    for pid, _ in listed:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace
    for pid, known_as in listed:
        if not _gone(pid, known_as, max(0.0, deadline - time.monotonic())):
            _signal(pid, signal.SIGKILL)
            _gone(pid, known_as, 5.0)


def marked(directory: Path) -> list[int]:
    """Ids of all processes of the instance in `directory`, by the mark in their environment; [] without /proc."""
    wanted = f"{MARK}={directory}".encode()
    found = []
    for entry in _PROC.glob("[0-9]*") if _PROC.joinpath("self/stat").exists() else ():
        try:
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            found.append(int(entry.name))
    return found


def _gone(pid: int, known_as: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid, known_as):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
