"""The times an API server writes (RFC 3339, to the second or the microsecond) as epoch seconds."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> float:
    """Epoch seconds of "2024-05-01T10:00:00Z" or "2024-05-01T10:00:00.123456Z". Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {text!r}")
    return moment.timestamp()


def time_or(text: str | None, default: float) -> float:
    """`parse_time` of what a server left out, wrote as null, or (a client's made-up event) wrote wrongly: `default`."""
    if not text:
        return default
    try:
        return parse_time(text)
    except ValueError:
        return default


def format_time(moment: float) -> str:
    """Epoch seconds as the API server writes them, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
