"""Amounts as Kubernetes writes them, and the size of a node as a user types it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from bakery_ops.errors import UsageError

KIBI, MEBI, GIBI = 2**10, 2**20, 2**30

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d{1,3}))?")
_SUFFIXES: dict[str | None, Fraction] = {
    None: Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{suffix: Fraction(10 ** (3 * power)) for power, suffix in enumerate("kMGTPE", 1)},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", 1)},
}


def quantity(value: str | int | float) -> Fraction:
    """The exact amount of a resource quantity: "100m" is 1/10, "1Ki" is 1024, "1e3" is 1000.

    Raises: UsageError for anything the API server would refuse (`512MB`, `1 Gi`, "").
    """
    text = str(value)
    match = _QUANTITY.fullmatch(text)
    if match is None or isinstance(value, bool):
        raise UsageError(f"{text[:40]!r} is not a quantity like 100m, 0.5 or 256Mi")
    number, suffix, exponent = match.groups()
    return Fraction(number) * (Fraction(10) ** int(exponent) if exponent else _SUFFIXES[suffix])


def milli_cpu(value: str | int | float) -> int:
    """Thousandths of a CPU, rounded up as the scheduler does."""
    return -int(-quantity(value) * 1000 // 1)


def whole(value: str | int | float) -> int:
    """Bytes, or pieces of an extended resource, rounded up."""
    return -int(-quantity(value) // 1)


def memory_text(size: float) -> str:
    """Bytes in words of two or three digits: "256Mi", "18.5Gi"."""
    if abs(size) >= GIBI:
        return f"{size / GIBI:.1f}".removesuffix(".0") + "Gi"
    return f"{size / MEBI:.0f}Mi"


def cpu_text(milli: float) -> str:
    """Thousandths of a CPU in words: "100m", "2.35"."""
    return f"{milli:.0f}m" if abs(milli) < 1000 else f"{milli / 1000:.2f}".rstrip("0").rstrip(".")


class NodeSize(NamedTuple):
    """What a cluster node has: thousandths of a CPU, and bytes of memory."""

    cpu_milli: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cpu_milli / 1000:g}cpu,{memory_text(self.memory)}"


_CPU = re.compile(r"(\d+(?:\.\d{1,3})?)(m)?\s*(?:v?cpus?|cores?)?", re.IGNORECASE)
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)B?", re.IGNORECASE)
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SMALLEST = NodeSize(100, 64 * MEBI)
_LARGEST = NodeSize(1_024_000, 2**50)


def node_size(text: str) -> NodeSize:
    """Read `8cpu,20Gi` (also `8,20Gi`, `500m,512Mi`, `2.5cpu,8G`). GB and GiB differ: 20G is 18.6Gi.

    Raises: UsageError that says which part is wrong and how to write it.
    """
    remedy = "write it like 8cpu,20Gi"
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise UsageError(f"the node size {text[:40]!r} needs two parts, CPU and memory", remedy=remedy)
    cpu, memory = _CPU.fullmatch(parts[0]), _MEMORY.fullmatch(parts[1])
    if cpu is None:
        raise UsageError(f"{parts[0][:40]!r} is not an amount of CPU", remedy=remedy)
    if memory is None:
        raise UsageError(f"{parts[1][:40]!r} is not memory with a unit", remedy=remedy)
    size = NodeSize(
        round(Fraction(cpu[1]) * (1 if cpu[2] else 1000)), round(Fraction(memory[1]) * _UNITS[memory[2].lower()])
    )
    if not _SMALLEST.cpu_milli <= size.cpu_milli <= _LARGEST.cpu_milli:
        raise UsageError(f"a node has between 100m and 1024 CPUs, not {parts[0][:40]!r}", remedy=remedy)
    if not _SMALLEST.memory <= size.memory <= _LARGEST.memory:
        raise UsageError(f"a node has between 64Mi and 1024Ti of memory, not {parts[1][:40]!r}", remedy=remedy)
    return size
