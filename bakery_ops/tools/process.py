"""The one door to other programs, and the only importer of `sh`: argv in, Result out, no shell, no leftovers.

Environments are never printed, logged or put into an error: they may hold credentials.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from bakery_ops.errors import CommandFailed, TimedOut, UsageError
from bakery_ops.tools.programs import find, program_at

__all__ = ["Result", "become", "find", "run"]


class Result(NamedTuple):
    """How a program ended. `status`: its exit code, or minus the number of the signal that killed it."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    grace: float = 5.0,
) -> Result:
    """Run a program to its end and return what it said.

    Args:
        argv: The program (a name for PATH, or a path) and its arguments, each passed on as it is.
        cwd: Where it runs; here by default.
        env: Merged over this process's environment; its PATH, if any, is the one searched.
        stdin: Bytes it reads; nothing by default, so a program that asks a question gets end of file.
        timeout: Seconds; then its whole process group is stopped.
        check: Whether a status other than 0 is an error.
        on_line: Called in this thread with each line of stdout and stderr, without its newline, as it comes.
        grace: Seconds between asking the group to end (SIGTERM) and making it (SIGKILL).
    Raises:
        CommandFailed: `check`, and the status is not 0.
        TimedOut: `timeout` passed; the group is gone.
        UsageError: the program or `cwd` does not exist or cannot run here, or an argument holds a NUL byte.
        KeyboardInterrupt, or whatever `on_line` raised: after the group is gone.
    """
    words = _checked(argv, cwd)
    deadline = None if timeout is None else time.monotonic() + timeout
    program = _Program(words, cwd, env, stdin, by_line=on_line is not None)
    try:
        for line in program.lines(deadline):
            if on_line is not None:
                on_line(line)
    except BaseException:
        program.stop(grace)
        raise
    if not program.ended:
        program.stop(grace)
        raise TimedOut(
            f"{words[0]} did not end within {timeout:g} s and was stopped: {' '.join(words)}",
            details=(program.stderr.strip() or program.stdout.strip()).splitlines()[-20:],
        )
    if check and program.status != 0:
        raise CommandFailed(words, program.status, program.stdout, program.stderr)
    return Result(words, program.status, program.stdout, program.stderr)


def become(argv: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by a program that wants the terminal for itself (`skaffold dev`, `tilt up`).

    Raises: UsageError as `run` does; otherwise it does not return.
    """
    words = _checked(argv, cwd)
    whole = {**os.environ, **(env or {})}
    program = program_at(words[0], cwd, path=whole.get("PATH"))
    if cwd is not None:
        os.chdir(cwd)
    try:
        os.execve(program, words, whole)  # noqa: S606 - no shell is the point
    except OSError as error:
        raise _cannot_start(program, str(error)) from error


def _checked(argv: Sequence[str | Path], cwd: Path | None) -> tuple[str, ...]:
    words = tuple(str(word) for word in argv)
    if not words or not words[0] or words[0].startswith("-"):
        raise UsageError(f"cannot start a program called {words[0] if words else ''!r}")
    for word in words:
        if "\0" in word:
            raise UsageError(f"an argument of {words[0]} holds a NUL byte: {word!r}")
    if cwd is not None and not cwd.is_dir():
        raise UsageError(f"{cwd} is not a directory, so {words[0]} cannot run there")
    return words


def _cannot_start(program: Path, cause: str) -> UsageError:
    """`cause`: the text of the OSError that `exec` raised; `sh` hands it over as a traceback."""
    last = cause.strip().splitlines()[-1]
    if "Exec format error" in last:
        return UsageError(
            f"{program} is not a program for this machine", remedy="is it built for another architecture?"
        )
    return UsageError(f"{program} could not be started: {last}")


class _Program:
    """A running program. `sh` reads its output on threads of its own; we take it from one queue in ours.

    `sh` could wait and time out by itself, but it would kill only the program and leave its children running.
    """

    def __init__(
        self,
        words: Sequence[str],
        cwd: Path | None,
        env: Mapping[str, str] | None,
        stdin: bytes | None,
        *,
        by_line: bool,
    ) -> None:
        self.status = 0
        self.ended = False
        self._by_line = by_line
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        whole = {**os.environ, **(env or {})}
        path = program_at(words[0], cwd, path=whole.get("PATH"))
        self._command = self._start(path, words[1:], cwd, whole, stdin)
        self._waiter = threading.Thread(target=self._wait, name=f"wait for {path.name}", daemon=True)
        self._waiter.start()

    @property
    def stdout(self) -> str:
        return "".join(self._stdout)

    @property
    def stderr(self) -> str:
        return "".join(self._stderr)

    def _start(
        self, path: Path, words: Sequence[str], cwd: Path | None, env: Mapping[str, str], stdin: bytes | None
    ) -> Any:
        import sh  # 0.15 s that a command which starts nothing need not pay

        def keep_stdout(chunk: str) -> None:
            self._keep(self._stdout, chunk)

        def keep_stderr(chunk: str) -> None:
            self._keep(self._stderr, chunk)

        buffer = 1 if self._by_line else 65536  # to sh, 1 means whole lines
        try:
            with open(os.devnull, "rb") as nothing:
                return sh.Command(str(path))(
                    *words,
                    _bg=True,
                    _bg_exc=False,
                    _new_session=True,
                    _tty_out=False,
                    _in=nothing if stdin is None else stdin,
                    _out=keep_stdout,
                    _err=keep_stderr,
                    _out_bufsize=buffer,
                    _err_bufsize=buffer,
                    _encoding="utf-8",
                    _decode_errors="replace",
                    _cwd=None if cwd is None else str(cwd),
                    _env=dict(env),
                )
        except sh.CommandNotFound as error:
            raise UsageError(f"{path} is not a program that can be run") from error
        except sh.ForkException as error:
            raise _cannot_start(path, str(error)) from error

    def _keep(self, pieces: list[str], chunk: str) -> None:
        pieces.append(chunk)
        if self._by_line:
            self._queue.put(chunk.removesuffix("\n").removesuffix("\r"))

    def _wait(self) -> None:
        import sh

        try:
            self._command.wait()
        except sh.ErrorReturnCode as error:  # a death by signal is its subclass
            self.status = error.exit_code
        self._queue.put(None)

    def lines(self, deadline: float | None) -> Iterator[str]:
        """Each line as it comes, until the program ended (`ended` is then true) or `deadline` (monotonic) passed."""
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                line = self._queue.get(timeout=left)
            except queue.Empty:
                return
            if line is None:
                self.ended = True
                return
            yield line

    def stop(self, grace: float) -> None:
        """End the whole process group: ask, wait, make. Its children outlive the program when only that is killed."""
        group: int = self._command.pgid
        try:
            self._signal(group, signal.SIGTERM)
            self._waiter.join(grace)
        finally:
            self._signal(group, signal.SIGKILL)
            self._waiter.join(5.0)  # only to collect it; a SIGKILL is not refused

    @staticmethod
    def _signal(group: int, number: signal.Signals) -> None:
        # A group without members is gone; macOS says "not permitted" for one of zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
