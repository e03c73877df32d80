"""The API server's clock, learnt from the Date header of its answers.

Date counts whole seconds, so one answer pins the server's clock to within a second plus the round trip. Every further
answer narrows that window (their intersection), and a deploy's hundreds of answers narrow it to milliseconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_DATE_RESOLUTION = 1.0
# Two clocks drift apart by some 50 parts per million; the window widens by that, so that it never becomes a lie.
_DRIFT = 50e-6


def steady() -> float:
    """Seconds that never step back and, where the system can tell, go on counting while the machine sleeps."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class ServerClock:
    """Epoch seconds in the API server's clock; never steps back. Safe to use from many threads."""

    def __init__(
        self,
        *,
        steady: Callable[[], float] = steady,
        local: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._steady, self._local, self._sleep = steady, local, sleep
        self._lock = threading.Lock()
        self._low: float | None = None  # bounds of (server epoch - steady)
        self._high = 0.0
        self._seen_at = 0.0
        self._last = 0.0

    def observe(self, date: float, sent: float, received: float) -> None:
        """Learn from an answer dated `date` (whole epoch seconds) between `sent` and `received` (steady seconds)."""
        low, high = date - received, date + _DATE_RESOLUTION - sent
        with self._lock:
            if self._low is not None:
                slack = _DRIFT * max(0.0, received - self._seen_at)
                narrowed = max(low, self._low - slack), min(high, self._high + slack)
                # An empty window means that one of the clocks was set: start over with the newest answer.
                low, high = narrowed if narrowed[0] <= narrowed[1] else (low, high)
            self._low, self._high, self._seen_at = low, high, received

    def now(self) -> float:
        with self._lock:
            base = self._local() - self._steady() if self._low is None else (self._low + self._high) / 2
            self._last = max(self._last, self._steady() + base)
            return self._last

    def offset(self) -> tuple[float, float]:
        """(server - local clock, uncertainty), in seconds; (0, infinity) before the first answer."""
        with self._lock:
            if self._low is None:
                return 0.0, float("inf")
            middle = (self._low + self._high) / 2
            return self._steady() + middle - self._local(), (self._high - self._low) / 2

    def sleep(self, seconds: float) -> None:
        self._sleep(max(0.0, seconds))
