"""Node sizes as a user types them: `8cpu,20Gi`."""

from __future__ import annotations

import re
from typing import NamedTuple

from bakery_ops.errors import UsageError

_CPU = re.compile(r"(?P<amount>\d+(?:\.\d{1,3})?)\s*(?P<milli>m)?\s*(?:cpus?|cores?)?", re.IGNORECASE)
_MEMORY = re.compile(r"(?P<amount>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?)B?", re.IGNORECASE)
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_LARGEST_CPU = 1_024_000
_LARGEST_MEMORY = 2**50
_SMALLEST_MEMORY = 64 * 2**20


class NodeSize(NamedTuple):
    """What a node offers: thousandths of a CPU, and bytes of memory."""

    cpu_milli: int
    memory: int

    def __str__(self) -> str:
        cpu = f"{self.cpu_milli / 1000:g}cpu"
        for unit, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if self.memory % size == 0:
                return f"{cpu},{self.memory // size}{unit}"
        return f"{cpu},{self.memory}"


DEFAULT_NODE = NodeSize(8000, 20 * 2**30)
"""The size of the production server (VPS) the platform is meant for."""


def parse_node_size(text: str) -> NodeSize:
    """Read `8cpu,20Gi` (also `8,20Gi`, `500m,512Mi`, `2.5cpu,8G`).

    Raises: UsageError naming what is wrong with `text` and how to write it.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise _bad(text, "it needs two parts, CPU and memory")
    cpu, memory = _CPU.fullmatch(parts[0]), _MEMORY.fullmatch(parts[1])
    if cpu is None:
        raise _bad(text, f"{parts[0]!r} is not an amount of CPU")
    if memory is None:
        raise _bad(text, f"{parts[1]!r} is not an amount of memory with a unit")
    milli = round(float(cpu["amount"]) * (1 if cpu["milli"] else 1000))
    size = round(float(memory["amount"]) * _UNITS[memory["unit"].lower()])
    if not 100 <= milli <= _LARGEST_CPU:
        raise _bad(text, "a node has between 100m and 1024 CPUs")
    if not _SMALLEST_MEMORY <= size <= _LARGEST_MEMORY:
        raise _bad(text, "a node has between 64Mi and 1024Ti of memory")
    return NodeSize(milli, size)


def _bad(text: str, why: str) -> UsageError:
    return UsageError(f"cannot read the node size {text!r}: {why}", remedy="write it like 8cpu,20Gi")
