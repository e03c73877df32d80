"""How the outcome of a rollout or a destroy ends the program."""

from __future__ import annotations

from bakery_ops.errors import ExitCode
from bakery_ops.rules.rollout.events import Outcome

EXIT = {
    Outcome.SUCCEEDED: ExitCode.OK,
    Outcome.FAILED: ExitCode.FAILED,
    Outcome.TIMED_OUT: ExitCode.TIMEOUT,
    Outcome.INTERRUPTED: ExitCode.INTERRUPTED,
    Outcome.LOCK_LOST: ExitCode.LOCKED,
    Outcome.UNREACHABLE: ExitCode.TIMEOUT,
}
