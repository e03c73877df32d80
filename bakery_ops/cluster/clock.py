"""The API server's clock, learnt from the Date header of its answers.

Date counts whole seconds, so one answer pins the server's clock to within a second plus the round trip. Every further
answer narrows that window (their intersection), and a deploy's hundreds of answers narrow it to milliseconds.

Between answers it goes on by this machine's steady clock, so a second of it is a second. Of several API servers one may
go wrong: a date that contradicts what is known is believed only when no answer has agreed with the old one for a while.
A clock that was set back is not followed at all, for then this one would have to stand still.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

_DATE_RESOLUTION = 1.0
# Two clocks drift apart by some 50 parts per million; the window widens by that, so that it never becomes a lie.
_DRIFT = 50e-6
_CONVINCED = 5.0


def steady() -> float:
    """Seconds that never step back and go on counting while the machine sleeps (of macOS, CLOCK_MONOTONIC does)."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class _Window(NamedTuple):
    """Bounds of (server epoch - steady), as they were known at `seen_at`."""

    low: float
    high: float
    seen_at: float

    def narrowed(self, by: _Window) -> _Window | None:
        """Where both may be true; None where they contradict each other."""
        slack = _DRIFT * max(0.0, by.seen_at - self.seen_at)
        low, high = max(by.low, self.low - slack), min(by.high, self.high + slack)
        return _Window(low, high, by.seen_at) if low <= high else None

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2


class ServerClock:
    """Epoch seconds in the API server's clock; never steps back. Safe to use from many threads.

    It leaps forward by as much as the machine slept, or as the server's clock was set forward; what was not watched
    meanwhile is the business of whoever measures with it (`rules.rollout.events.TimeJumped`).
    """

    def __init__(
        self,
        *,
        steady: Callable[[], float] = steady,
        local: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._steady, self._local, self._sleep = steady, local, sleep
        self._lock = threading.Lock()
        self._known: _Window | None = None
        self._rival: _Window | None = None  # where the answers since `_doubted_at` see it, if they are right
        self._doubted_at = 0.0
        self._last = 0.0

    def observe(self, date: float, sent: float, received: float) -> None:
        """Learn from an answer dated `date` (whole epoch seconds) between `sent` and `received` (steady seconds)."""
        seen = _Window(date - received, date + _DATE_RESOLUTION - sent, received)
        with self._lock:
            if self._known is None:
                self._known, self._last = seen, 0.0  # what was told before was the local clock's
            elif narrowed := self._known.narrowed(seen):
                self._known, self._rival = narrowed, None
            elif seen.low > self._known.high:
                self._doubt(seen)

    def _doubt(self, seen: _Window) -> None:
        rival = self._rival.narrowed(seen) if self._rival else None
        if rival is None:
            self._rival, self._doubted_at = seen, seen.seen_at
        elif seen.seen_at - self._doubted_at < _CONVINCED:
            self._rival = rival
        else:
            self._known, self._rival = rival, None

    def now(self) -> float:
        with self._lock:
            base = self._local() - self._steady() if self._known is None else self._known.middle
            self._last = max(self._last, self._steady() + base)
            return self._last

    def offset(self) -> tuple[float, float]:
        """(server - local clock, uncertainty), in seconds; (0, infinity) before the first answer."""
        with self._lock:
            if self._known is None:
                return 0.0, float("inf")
            return self._steady() + self._known.middle - self._local(), (self._known.high - self._known.low) / 2

    def sleep(self, seconds: float) -> None:
        self._sleep(max(0.0, seconds))
