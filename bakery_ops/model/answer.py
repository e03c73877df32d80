"""What the API server says to one request, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What the API server said to one write or read.

    Attributes:
        status: HTTP status.
        body: The decoded JSON object ({} where there is none).
        reason, message: Of a Status answer, else "". Never holds a Secret's values.
        date: The Date header as epoch seconds, or None.
    """

    status: int
    body: Mapping[str, Any]
    reason: str = ""
    message: str = ""
    date: float | None = None
