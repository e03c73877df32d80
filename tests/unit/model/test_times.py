"""Times of the API server, in and out."""

from __future__ import annotations

import pytest

from bakery_ops.model.times import format_time, parse_time, time_or


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.250000Z", 60.25),
        ("1970-01-01T00:01:00.250000999Z", 60.25),
        ("1970-01-01T02:01:00+02:00", 60.0),
    ],
)
def test_server_times_are_epoch_seconds(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("text", ["", "yesterday", "2024-05-01T10:00:00"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_time(text)


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_missing_and_broken_times_become_the_default(text: str | None) -> None:
    assert time_or(text, 7.0) == 7.0


def test_format_is_what_parse_reads() -> None:
    assert format_time(60.0) == "1970-01-01T00:01:00Z"
    assert parse_time(format_time(1_700_000_000)) == 1_700_000_000
