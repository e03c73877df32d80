"""The server's clock from whole-second dates."""

from __future__ import annotations

import random

import pytest

from bakery_ops.cluster.clock import ServerClock
from tests.unit.cluster.scripted import FakeSteady


def clock(steady: FakeSteady, local: float = 5000.0) -> ServerClock:
    return ServerClock(steady=steady, local=lambda: local + steady.now - 1000.0, sleep=steady.sleep)


def answer(target: ServerClock, steady: FakeSteady, server_ahead: float, round_trip: float = 0.002) -> None:
    """The server dates an answer half a round trip after it was sent."""
    sent = steady.now
    date = float(int(sent + server_ahead + round_trip / 2))
    steady.now += round_trip
    target.observe(date, sent, steady.now)


def test_before_any_answer_it_is_the_local_clock() -> None:
    steady = FakeSteady()
    assert clock(steady).now() == 5000.0
    assert clock(steady).offset() == (0.0, float("inf"))


def test_one_answer_pins_it_to_half_a_second() -> None:
    steady = FakeSteady()
    target = clock(steady)
    answer(target, steady, server_ahead=700_000.25)
    assert abs(target.now() - (steady.now + 700_000.25)) <= 0.51


def test_many_answers_pin_it_to_milliseconds() -> None:
    steady, dice = FakeSteady(), random.Random(7)
    target = clock(steady)
    for _ in range(250):
        steady.sleep(dice.uniform(0.001, 0.05))
        answer(target, steady, server_ahead=700_000.25)
    assert abs(target.now() - (steady.now + 700_000.25)) < 0.05
    assert target.offset()[1] < 0.05


def test_the_true_time_stays_inside_the_stated_uncertainty() -> None:
    for seed in range(50):
        steady, dice = FakeSteady(), random.Random(seed)
        ahead = dice.uniform(1e6, 2e6)
        target = clock(steady)
        for _ in range(40):
            steady.sleep(dice.expovariate(1.0))
            answer(target, steady, ahead, round_trip=dice.uniform(0.0001, 0.5))
        assert abs(target.now() - (steady.now + ahead)) <= target.offset()[1] + 1e-6


def test_a_clock_that_is_set_back_is_not_followed_and_goes_on_evenly() -> None:
    steady = FakeSteady()
    target = clock(steady)
    answer(target, steady, server_ahead=1000.0)
    before, began = target.now(), steady.now
    for _ in range(20):
        steady.sleep(1.0)
        answer(target, steady, server_ahead=0.0)
        assert target.now() - before == pytest.approx(steady.now - began)


def test_one_of_several_servers_whose_clock_is_wrong_moves_nothing() -> None:
    """Every third answer comes from the one that is ten minutes ahead."""
    steady = FakeSteady()
    target = clock(steady)
    answer(target, steady, server_ahead=0.0)
    for number in range(60):
        steady.sleep(1.0)
        answer(target, steady, server_ahead=600.0 if number % 3 == 0 else 0.0)
        assert abs(target.now() - steady.now) <= 0.51


def test_a_clock_that_is_set_forward_is_followed_once_no_answer_agrees_with_the_old_time() -> None:
    steady = FakeSteady()
    target = clock(steady)
    answer(target, steady, server_ahead=0.0)
    answer(target, steady, server_ahead=1000.0)
    assert abs(target.now() - steady.now) <= 0.51
    for _ in range(6):
        steady.sleep(1.0)
        answer(target, steady, server_ahead=1000.0)
    assert abs(target.now() - (steady.now + 1000)) <= 0.51


def test_what_the_local_clock_said_before_the_first_answer_holds_nothing_up() -> None:
    steady = FakeSteady()
    target = clock(steady)
    assert target.now() == 5000.0
    answer(target, steady, server_ahead=0.0)
    assert abs(target.now() - steady.now) <= 0.51


def test_sleeping_advances_it() -> None:
    steady = FakeSteady()
    target = clock(steady)
    before = target.now()
    target.sleep(5.0)
    target.sleep(-1.0)
    assert target.now() == before + 5.0
