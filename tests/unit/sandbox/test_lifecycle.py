"""One command at a time starts or stops an instance, also while its folder comes and goes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from bakery_ops.errors import Locked
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.instance import instance

ROUNDS = 600


def test_a_stop_never_removes_what_a_start_beside_it_has_written(tmp_path, monkeypatch) -> None:
    """`sandbox.stop & sandbox.start`"""
    monkeypatch.setenv("BAKERY_STATE_DIR", str(tmp_path))
    place = instance("race")

    def start() -> None:
        with lifecycle.alone(place):
            (place.directory / "record").write_text("mine")
            os.sched_yield()
            assert (place.directory / "record").read_text() == "mine"

    def stop() -> None:
        lifecycle.stop(say=lambda line: None, name="race")

    def insist(on: Callable[[], None]) -> None:
        """The next attempt follows at once, so that it falls into every gap that the other leaves."""
        for _ in range(ROUNDS):
            while True:
                try:
                    on()
                    break
                except Locked:
                    os.sched_yield()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(insist, each) for each in (start, stop, start)]:
            done.result(60)


def test_a_second_command_is_refused_and_the_next_one_is_not(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("BAKERY_STATE_DIR", str(tmp_path))
    place = instance("one")
    with lifecycle.alone(place), pytest.raises(Locked), lifecycle.alone(place):
        pytest.fail("it went in")
    with lifecycle.alone(place):
        assert place.directory.is_dir()
