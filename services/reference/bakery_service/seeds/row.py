"""What a seed is made of, and the calendar and arithmetic its rows share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

_MONTH_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Row(NamedTuple):
    """One row of `items`; `code` is unique within its seed and never changes."""

    code: str
    name: str
    attributes: Mapping[str, Any]


class Seed(NamedTuple):
    """`owner` is the service whose database gets the rows."""

    owner: str
    rows: Callable[[], Sequence[Row]]


def day(number: int) -> str:
    """Day `number` of the demo year, 0 is 2025-01-01, in ISO form. Without datetime: the demo year never moves."""
    month, rest = 0, number % 365
    while rest >= _MONTH_LENGTHS[month]:
        rest -= _MONTH_LENGTHS[month]
        month += 1
    return f"2025-{month + 1:02d}-{rest + 1:02d}"


def spread(seed: int, low: int, high: int) -> int:
    """A number from `low` to `high`, inclusive, that looks arbitrary and is always the same for `seed`.

    Knuth's multiplicative hash (The Art of Computer Programming, volume 3, section 6.4).
    """
    return low + (seed * 2654435761 % 2**32) * (high - low + 1) // 2**32
