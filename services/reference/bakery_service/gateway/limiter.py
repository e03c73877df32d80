"""Counts requests in redis, so that all gateways share one count."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from bakery_service.gateway.limits import Decision, Limits, judge

_log = logging.getLogger("gateway")


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
