"""How far the watches run behind: from the server's answer to our own write until a watch delivers that change.

Server timestamps count whole seconds, so they cannot show milliseconds. Our own writes can: answer and watch event
carry the same resourceVersion, and both moments are read from one local clock.
"""

from __future__ import annotations

import threading

_LARGEST = 10_000


class LagMeter:
    """Pairs writes with watch events. Thread-safe; bounded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answered: dict[str, float] = {}
        self._delivered: dict[str, float] = {}
        self._lags: list[float] = []

    def written(self, resource_version: str, sent: float, received: float) -> None:
        """Our write was answered at `received` (steady seconds) with this version."""
        with self._lock:
            delivered = self._delivered.pop(resource_version, None)
            if delivered is not None:
                if delivered >= sent:  # an unchanged object keeps its old version: nothing was committed
                    self._lags.append(max(0.0, delivered - received))
            elif len(self._answered) < _LARGEST:
                self._answered[resource_version] = received

    def delivered(self, resource_version: str, at: float) -> None:
        """A watch delivered this version at `at` (steady seconds)."""
        with self._lock:
            received = self._answered.pop(resource_version, None)
            if received is not None:
                self._lags.append(max(0.0, at - received))
                return
            self._delivered[resource_version] = at
            if len(self._delivered) > _LARGEST:
                del self._delivered[next(iter(self._delivered))]

    def percentile(self, share: float) -> float | None:
        """The lag in seconds below which `share` (0..1) of the samples lie, or None without samples."""
        with self._lock:
            ordered = sorted(self._lags)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
