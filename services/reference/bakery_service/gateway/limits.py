"""How many requests one client may make. Pure."""

from __future__ import annotations

from typing import NamedTuple

from bakery_service import settings
from bakery_service.settings import Environment


class Limits(NamedTuple):
    """At most `per_minute` requests within a clock minute, and `burst` within a second, for each client."""

    enabled: bool
    per_minute: int
    burst: int


class Decision(NamedTuple):
    """`retry_after` in seconds; 0 when the request may pass."""

    allowed: bool
    retry_after: int = 0


def read_limits(environment: Environment) -> Limits:
    return Limits(
        settings.switch(environment, "RATE_LIMIT_ENABLED", default=False),
        settings.number(environment, "RATE_LIMIT_REQUESTS_PER_MINUTE", 600),
        settings.number(environment, "RATE_LIMIT_BURST", 50),
    )


def judge(limits: Limits, in_minute: int, in_second: int, now: float) -> Decision:
    """The counts include this request; `now` is seconds since the epoch. Pure."""
    if in_minute > limits.per_minute:
        return Decision(False, 60 - int(now) % 60)
    if in_second > limits.burst:
        return Decision(False, 1)
    return Decision(True)
