"""Who waits for nothing but a slot, so that finding the next one costs the same however many wait."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator


class Waiting:
    """Names of nodes that may start. Mutable; owned by one rollout.

    Objects that start nothing need no slot and are all given at once. Workloads come by their priority, lowest first;
    one that leaves stays in the heap until it is met there.
    """

    def __init__(self) -> None:
        self.free: dict[str, None] = {}
        self._slotted: set[str] = set()
        self._heap: list[tuple[tuple[int, int], str]] = []
        self._queued: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.free or name in self._slotted

    def add(self, name: str, priority: tuple[int, int], *, needs_slot: bool) -> None:
        if not needs_slot:
            self.free[name] = None
            return
        self._slotted.add(name)
        if name not in self._queued:
            self._queued.add(name)
            heapq.heappush(self._heap, (priority, name))

    def discard(self, name: str) -> None:
        self.free.pop(name, None)
        self._slotted.discard(name)

    def first(self, count: int, fits: Callable[[str], bool]) -> Iterator[str]:
        """The first `count` workloads that fit; they go on waiting until they are discarded."""
        met: list[tuple[tuple[int, int], str]] = []
        while self._heap and count > 0:
            entry = heapq.heappop(self._heap)
            name = entry[1]
            if name not in self._slotted:
                self._queued.discard(name)
                continue
            met.append(entry)
            if fits(name):
                count -= 1
                yield name
        for entry in met:
            heapq.heappush(self._heap, entry)
