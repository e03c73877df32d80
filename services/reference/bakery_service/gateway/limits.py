"""How many requests one client may make, counted in redis, so that all gateways share the count."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from bakery_service import settings
from bakery_service.settings import Environment

_log = logging.getLogger("gateway")


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


class Limiter:
    """`client` is redis, asynchronous; `prefix` the keys our ACL user may write."""

    def __init__(self, limits: Limits, client: Any, prefix: str, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._client = client
        self._prefix = prefix
        self._clock = clock
        self._counting = True

    async def ask(self, address: str) -> Decision:
        """Without redis everybody passes: a limit must not become an outage."""
        if not self._limits.enabled:
            return Decision(True)
        now = self._clock()
        try:
            counts = await self._count(address, now)
        except (RedisError, OSError) as error:
            if self._counting:
                _log.warning("rate limits are not enforced: %s", error)
            self._counting = False
            return Decision(True)
        self._counting = True
        return judge(self._limits, counts[0], counts[1], now)

    async def _count(self, address: str, now: float) -> tuple[int, int]:
        minute = f"{self._prefix}:limit:{address}:{int(now) // 60}"
        second = f"{self._prefix}:limit:{address}:{int(now)}"
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.incr(minute)
            pipeline.expire(minute, 120)
            pipeline.incr(second)
            pipeline.expire(second, 5)
            answers = await pipeline.execute()
        return answers[0], answers[2]
