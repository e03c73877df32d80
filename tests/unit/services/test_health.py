import asyncio
import threading

from bakery_service.errors import NotYet
from bakery_service.health import Health, Readiness


def passes() -> None:
    pass


def refuses() -> None:
    raise NotYet("connection refused")


def breaks() -> None:
    raise ValueError("driver bug\nwith a second line")


def ask(readiness: Readiness) -> Health:
    try:
        return asyncio.run(readiness.ask())
    finally:
        readiness.close()


def test_a_service_is_ready_when_all_it_needs_answers() -> None:
    health = ask(Readiness({"database": passes, "redis": passes}))
    assert health.document()["status"] == "ready"
    assert health.failing == []


def test_the_failing_dependency_is_named_with_its_reason_and_the_others_are_told_too() -> None:
    document = ask(Readiness({"database": refuses, "redis": passes})).document()
    assert document["status"] == "not ready"
    assert document["failing"] == {"database": "connection refused"}
    assert document["checks"] == {"database": "connection refused", "redis": "ok"}


def test_whatever_a_driver_raises_becomes_an_answer() -> None:
    assert ask(Readiness({"redis": breaks})).outcomes == {"redis": "ValueError: driver bug"}


def test_a_check_that_hangs_does_not_hold_up_the_answer() -> None:
    released = threading.Event()

    def hangs() -> None:
        released.wait(30)

    readiness = Readiness({"database": hangs, "redis": passes}, within=0.05)
    try:
        health = asyncio.run(readiness.ask())
    finally:
        released.set()
        readiness.close()
    assert health.outcomes == {"database": "no answer within 0.05 s", "redis": "ok"}
    assert health.milliseconds < 5000


def test_a_service_that_needs_nothing_is_ready() -> None:
    assert ask(Readiness({})).failing == []
