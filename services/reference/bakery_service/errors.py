"""How a command of this package ends when it cannot do its work.

ServiceError             1  a finished sentence; the last line of the log
├── BadEnvironment      64  a setting is missing or makes no sense: starting again will not help
└── NotYet               1  a dependency does not answer yet; `wait-for` retries it, others give up
"""

from __future__ import annotations


class ServiceError(Exception):
    """An expected failure. `str(error)` is one line that never holds a secret."""

    exit_code = 1


class BadEnvironment(ServiceError):
    exit_code = 64


class NotYet(ServiceError):
    pass


def one_line(error: BaseException) -> str:
    """The first line of `error` that says something; its class name when it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
