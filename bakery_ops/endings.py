"""How a command ends: every way it can, as an exit code, and every error as readable lines on stderr."""

import errno
import os
import sys
from collections.abc import Callable

from bakery_ops.errors import BakeryError, ExitCode
from bakery_ops.model.words import printable

_LONGEST_LINE = 4096


def guarded(call: Callable[[], ExitCode | None]) -> ExitCode:
    """Run one command; turn every way it can end into an exit code, and every error into readable lines on stderr."""
    try:
        return call() or ExitCode.OK
    except BakeryError as error:
        tell(error)
        return ExitCode(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        return ExitCode.INTERRUPTED
    except BrokenPipeError as error:
        return closed_pipe(error)
    except Exception as error:  # noqa: BLE001 - the last door: whatever escaped is a bug, saved with its traceback
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            return closed_pipe(error)
        _tell_bug(error)
        return ExitCode.BUG


def closed_pipe(error: OSError) -> ExitCode:
    """The reader of stdout went away: say nothing more. When it is the disk that is full, say that."""
    if error.errno not in (None, errno.EPIPE):
        print(f"error: the output could not be written: {error.strerror}", file=sys.stderr)  # noqa: T201
    # Python would complain once more when it flushes at exit; point stdout at nothing.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.CLOSED_PIPE


def tell(error: BakeryError) -> None:
    """An expected error: what, why, and what to do next."""
    lines = [f"error: {error}", *(f"  {line}" for line in error.details)]
    if error.remedy:
        lines.append(f"  next: {error.remedy}")
    # A server's refusal or a file's name may hold bytes that would steer the terminal (docs/faults.md, B55, B58).
    print("\n".join(printable(line, _LONGEST_LINE) for line in lines), file=sys.stderr)  # noqa: T201


def _tell_bug(error: Exception) -> None:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="bakery-ops-", suffix=".traceback", delete=False) as file:
        # Lines only, no local variables: those may hold secret values.
        file.writelines(traceback.format_exception(error))
    print(  # noqa: T201
        f"error: unexpected {type(error).__name__}; this is a bug in bakery_ops\n"
        f"  the traceback is in {file.name}\n  next: report it with that file",
        file=sys.stderr,
    )
