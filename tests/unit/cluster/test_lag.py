"""How far the watches run behind our own writes."""

from __future__ import annotations

from bakery_ops.cluster.lag import LagMeter


def test_without_samples_there_is_no_lag() -> None:
    assert LagMeter().percentile(0.95) is None


def test_it_is_the_time_from_the_answer_to_the_watch_event() -> None:
    meter = LagMeter()
    meter.written("7", sent=1.0, received=1.1)
    meter.delivered("7", 1.15)
    assert meter.percentile(0.5) is not None
    assert abs((meter.percentile(0.5) or 0) - 0.05) < 1e-9


def test_a_watch_that_was_faster_than_the_answer_has_no_lag() -> None:
    meter = LagMeter()
    meter.delivered("7", 1.05)
    meter.written("7", sent=1.0, received=1.1)
    assert meter.percentile(0.95) == 0.0


def test_an_apply_that_changed_nothing_is_no_sample() -> None:
    meter = LagMeter()
    meter.delivered("7", 1.0)
    meter.written("7", sent=5.0, received=5.1)
    assert meter.percentile(0.95) is None


def test_the_percentile_is_taken_from_all_samples() -> None:
    meter = LagMeter()
    for number in range(100):
        meter.written(str(number), 0.0, 0.0)
        meter.delivered(str(number), number / 100)
    assert meter.percentile(0.95) == 0.95
    assert meter.percentile(1.0) == 0.99


def test_what_is_never_asked_for_does_not_pile_up() -> None:
    meter = LagMeter()
    for number in range(30_000):
        meter.delivered(str(number), 0.0)
    assert len(meter._delivered) <= 10_001
