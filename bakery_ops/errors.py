"""Every error a user can meet, and the exit code each one ends the program with.

    BakeryError                 a finished sentence for the user; `remedy` is the next step
    ├── UsageError              64  bad input; nothing was contacted
    ├── PreflightRefused         4  refused before the platform was changed
    ├── TargetRefused            5  protected or wrong target, or a confirmation is missing
    ├── Locked                   6  another run holds the lock
    ├── OperationFailed          3  a deploy, a verify or an operation failed
    │   ├── CommandFailed        3  a program we drive ended badly
    │   └── Forbidden            3  the account may not do it; a deploy that has written nothing refuses with 4
    ├── TimedOut                70  a deadline or retry budget ran out, or the outcome is unknown
    │   └── ClusterUnreachable  70  the API server did not answer within the budget
    └── Interrupted            130  stopped by a signal

Anything else that escapes is a bug: exit 1, with the traceback saved and its path printed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """How a run ends. The one list; `docs/exit-codes.md` is generated from it."""

    OK = 0
    BUG = 1
    CHANGES = 2
    FAILED = 3
    PREFLIGHT = 4
    REFUSED = 5
    LOCKED = 6
    USAGE = 64
    TIMEOUT = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "ok",
    ExitCode.BUG: "unexpected error; the traceback was saved where the message says",
    ExitCode.CHANGES: "the plan has changes (only with --exit-code)",
    ExitCode.FAILED: "deploy or verify found failures",
    ExitCode.PREFLIGHT: "refused before the platform was changed",
    ExitCode.REFUSED: "protected or wrong target, or a confirmation is missing",
    ExitCode.LOCKED: "another run holds the lock",
    ExitCode.USAGE: "bad input; nothing was contacted",
    ExitCode.TIMEOUT: "timed out, or the outcome is unknown; run again",
    ExitCode.INTERRUPTED: "interrupted",
    ExitCode.CLOSED_PIPE: "the reader of our output went away, or the disk it goes to is full",
}


class BakeryError(Exception):
    """An expected failure. `str(error)` is one readable sentence; `details` are the lines below it."""

    exit_code = ExitCode.FAILED

    def __init__(self, message: str, *, remedy: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.details = tuple(details)


class UsageError(BakeryError):
    exit_code = ExitCode.USAGE


class PreflightRefused(BakeryError):
    exit_code = ExitCode.PREFLIGHT


class TargetRefused(BakeryError):
    exit_code = ExitCode.REFUSED


class Locked(BakeryError):
    exit_code = ExitCode.LOCKED


class OperationFailed(BakeryError):
    exit_code = ExitCode.FAILED


class Forbidden(OperationFailed):
    pass


class CommandFailed(OperationFailed):
    """A program ended badly: `argv` (secrets never travel in argv), its exit code or signal, and its output."""

    def __init__(self, argv: Sequence[str], status: int, stdout: str, stderr: str, *, remedy: str = "") -> None:
        tail = (stderr.strip() or stdout.strip()).splitlines()[-20:]
        super().__init__(f"{argv[0]} ended with {status}: {' '.join(argv)}", remedy=remedy, details=tail)
        self.argv = tuple(argv)
        self.status = status
        self.stdout = stdout
        self.stderr = stderr


class TimedOut(BakeryError):
    exit_code = ExitCode.TIMEOUT


class ClusterUnreachable(TimedOut):
    pass


class Interrupted(BakeryError):
    exit_code = ExitCode.INTERRUPTED
