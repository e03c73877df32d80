"""Long-running programs of the sandbox: started detached, recorded at once, stopped newest first.

They outlive the command that started them, so they get a session of their own and no pipe to us.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from bakery_ops.errors import OperationFailed, PreflightRefused
from bakery_ops.sandbox import processes

_TAIL_LINES = 20
_URGENT = -5

# All of them are Go programs: collecting garbage half as often trades some memory for processor time, which is scarcer.
_LESS_COLLECTING = {"GOGC": "200"}


class Daemon(NamedTuple):
    """A started program: its role, process id, what identifies that process, and where it writes."""

    name: str
    pid: int
    identity: str
    log: str

    @property
    def is_running(self) -> bool:
        return processes.is_running(self.pid, self.identity)


def _explain(lines: Sequence[str]) -> None:
    """Raises: PreflightRefused when a daemon's last lines show a cause the user can do something about."""
    text = "\n".join(lines)
    if "no space left on device" in text:
        raise PreflightRefused(
            "the disk that holds the sandbox is full",
            remedy="free some space, or point BAKERY_STATE_DIR at a larger disk, then start again",
            details=lines,
        )
    if "address already in use" in text:
        raise PreflightRefused(
            "another program took a port the sandbox had chosen",
            remedy="start again; it chooses other ports each time",
            details=lines,
        )


def _lent() -> list[int]:
    """Open files that our caller lent us, a lock's among them: a daemon that kept them would hold the lock for ever."""
    found = []
    for number in map(int, os.listdir("/dev/fd")):
        with suppress(OSError):  # the listing's own file is gone by now
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found


class Daemons:
    """The daemons of one instance, in the order they were started; kept in `directory`/daemons.json."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record = directory / "daemons.json"
        self._listed: list[Daemon] = self._read()

    def __iter__(self) -> Iterator[Daemon]:
        return iter(tuple(self._listed))

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        is_urgent: bool = False,
    ) -> Daemon:
        """Start a program that lives on after us; its output goes to `logs/<name>.log`.

        Args:
            name: Its role, unique in the instance.
            argv: Absolute path of the program, and arguments.
            environment: Added to ours.
            is_urgent: Everything waits for it, so it goes before other processes where the machine lets us decide.
        """
        log = self._directory / "logs" / f"{name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [str(word) for word in argv]
        marked = {**os.environ, **_LESS_COLLECTING, **(environment or {}), processes.MARK: str(self._directory)}
        pid = os.posix_spawn(
            words[0],
            words,
            marked,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                *((os.POSIX_SPAWN_CLOSE, number) for number in _lent()),
            ],
            setsid=True,
        )
        if is_urgent:
            with suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, pid, _URGENT)
        daemon = Daemon(name, pid, processes.identity(pid), str(log))
        self._listed.append(daemon)
        self._write()
        return daemon

    def require_running(self, *, remedy: str = "") -> None:
        """Raises: OperationFailed with the last lines of the first daemon that died."""
        for daemon in self._listed:
            if not daemon.is_running:
                _explain(self.tail(daemon))
                raise OperationFailed(
                    f"the sandbox's {daemon.name} ended unexpectedly; its last lines are below, all in {daemon.log}",
                    remedy=remedy or "invoke sandbox.stop, then start it again",
                    details=self.tail(daemon),
                )

    @staticmethod
    def tail(daemon: Daemon) -> list[str]:
        """The last lines of a daemon's log."""
        try:
            return Path(daemon.log).read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            return []

    def stop(self, names: Callable[[str], bool] = lambda _name: True, *, grace: float = 3.0) -> None:
        """Stop those daemons whose name `names` accepts, newest first, and forget them."""
        for daemon in reversed(tuple(self._listed)):
            if names(daemon.name):
                processes.end(daemon.pid, daemon.identity, grace=grace)
                self._listed.remove(daemon)
                self._write()

    def sweep(self) -> None:
        """End what carries this instance's mark but was never recorded: a start was killed between start and record."""
        recorded = {daemon.pid for daemon in self._listed}
        left = [pid for pid in processes.marked(self._directory) if pid not in recorded and pid != os.getpid()]
        processes.end_all([(pid, processes.identity(pid)) for pid in left], grace=0)

    def _read(self) -> list[Daemon]:
        try:
            return msgspec.json.decode(self._record.read_bytes(), type=list[Daemon])
        except (OSError, msgspec.DecodeError):
            return []

    def _write(self) -> None:
        temporary = self._record.with_suffix(".part")
        temporary.write_bytes(msgspec.json.encode(self._listed))
        temporary.replace(self._record)
