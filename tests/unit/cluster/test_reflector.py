"""One stream: list, watch, resume, relist, and what it says about each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bakery_ops.cluster.discovery import BUILT_IN
from bakery_ops.cluster.reflector import Reflector
from bakery_ops.cluster.streams import Settings, Target
from bakery_ops.rules.rollout.events import Event, ObjectChanged, ObjectDeleted, StreamLost, Synced
from tests.unit.cluster.scripted import (
    Client,
    Drop,
    Hold,
    Say,
    ScriptedServer,
    Watch,
    added,
    bookmark,
    deleted,
    item,
    listing,
    modified,
    status,
)

PODS = "/api/v1/namespaces/shop/pods"
QUICK = Settings(read=0.3, gap=30.0, longest_pause=0.05)
NO_WATCH_LIST = status(422, "Invalid", "sendInitialEvents is forbidden")


class Collected:
    """What a stream delivered, in short words, and a way to wait for it."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self.words.append(_word(event))
            self._changed.notify_all()

    def wait_for(self, *words: str, within: float = 5.0) -> None:
        with self._changed:
            arrived = self._changed.wait_for(lambda: self.words[: len(words)] == list(words), within)
            assert arrived, f"expected {words}, got {self.words}"

    def wait_until(self, test: Callable[[list[str]], bool], within: float = 5.0) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: test(self.words), within), self.words


def _word(event: Event) -> str:
    if isinstance(event, ObjectChanged):
        return f"+{event.object.metadata.name}@{event.object.metadata.resource_version}"
    if isinstance(event, ObjectDeleted):
        return f"-{event.ref.name}/{event.uid}"
    return type(event).__name__ if isinstance(event, Synced | StreamLost) else repr(event)


@pytest.fixture
def got() -> Collected:
    return Collected()


@pytest.fixture
def start(live_client: Client, got: Collected) -> Iterator[Callable[..., Reflector]]:
    running: list[tuple[Reflector, threading.Thread]] = []

    def begin(kind: str = "Pod", settings: Settings = QUICK, **more: Any) -> Reflector:
        resource = next(resource for (_, known), resource in BUILT_IN.items() if known == kind)
        target = Target(resource, kind, "shop", more.pop("field_selector", ""))
        reflector = Reflector(live_client.transport, target, got, lag=live_client.lag, settings=settings, **more)
        thread = threading.Thread(target=reflector.run)
        thread.start()
        running.append((reflector, thread))
        return reflector

    yield begin
    for reflector, _ in running:
        reflector.stop()
    for _, thread in running:
        thread.join(3)
        assert not thread.is_alive()


Start = Callable[..., Reflector]


def test_a_watch_list_delivers_everything_then_synced_then_changes(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    events = (
        added("a", "3"),
        added("b", "4"),
        bookmark("9", initial_end=True),
        modified("a", "10"),
        deleted("b", "11"),
    )
    server.expect("GET", PODS, Watch(events, "hold"))
    start()
    got.wait_for("+a@3", "+b@4", "Synced", "+a@10", "-b/uid-b")
    query = server.seen[0].query
    assert (query["sendInitialEvents"], query["resourceVersionMatch"]) == ("true", "NotOlderThan")
    assert (query["allowWatchBookmarks"], 240 <= int(query["timeoutSeconds"]) <= 300) == ("true", True)


@pytest.mark.parametrize("code", [400, 403, 422])
def test_a_server_without_watch_list_is_listed_in_pages_and_watched(
    server: ScriptedServer, start: Start, got: Collected, code: int
) -> None:
    server.expect("GET", PODS, status(code), listing([item("a", "3")], token="t"), listing([item("b", "4")], "9"))
    server.expect("GET", PODS, Watch((modified("a", "10"),), "hold"))
    start()
    got.wait_for("+a@3", "+b@4", "Synced", "+a@10")
    first, second, watch = (seen.query for seen in server.wait_for(4)[1:])
    assert "resourceVersion" not in first  # a consistent read
    assert (first["limit"], second["continue"], watch["resourceVersion"]) == ("500", "t", "9")


def test_list_items_carry_their_kind(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, NO_WATCH_LIST, listing([item("a")]), Watch((), "hold"))
    start()
    got.wait_for("+a@1")
    changed = got.events[0]
    assert isinstance(changed, ObjectChanged)
    assert (changed.object.kind, changed.object.api_version) == ("Pod", "v1")


def test_an_ended_watch_goes_on_from_the_last_version_without_a_word(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), modified("a", "12"))), Watch((), "hold"))
    start()
    second = server.wait_for(2)[1]
    assert second.query["resourceVersion"] == "12"
    assert got.words == ["Synced", "+a@12"]


def test_bookmarks_move_the_version_on_a_quiet_stream(server: ScriptedServer, start: Start) -> None:
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), bookmark("50"))), Watch((), "hold"))
    start()
    assert server.wait_for(2)[1].query["resourceVersion"] == "50"


def test_a_silent_stream_is_opened_anew_because_it_may_be_half_open(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    """F5"""
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True),), "hold"), Watch((modified("a", "12"),), "hold"))
    start()
    got.wait_for("Synced", "+a@12")
    assert server.seen[1].query["resourceVersion"] == "9"


def test_a_broken_stream_is_reported_lost_and_synced_again(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    """F2"""
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True),), "reset"), Drop(), Watch((), "hold"))
    start()
    got.wait_for("Synced", "StreamLost", "Synced")
    assert server.wait_for(3)[2].query["resourceVersion"] == "9"


def test_gone_as_an_http_status_lists_anew_and_reports_what_vanished(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    """F3"""
    first = Watch((added("a", "3"), added("b", "4"), bookmark("9", initial_end=True)))
    again = Watch((added("b", "4"), added("c", "20"), bookmark("30", initial_end=True)), "hold")
    server.expect("GET", PODS, first, status(410, "Expired"), again)
    start()
    got.wait_for("+a@3", "+b@4", "Synced", "StreamLost", "+c@20", "-a/uid-a", "Synced")


def test_gone_as_an_error_event_lists_anew(server: ScriptedServer, start: Start, got: Collected) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), gone)))
    server.expect("GET", PODS, Watch((bookmark("30", initial_end=True),), "hold"))
    start()
    got.wait_for("Synced", "StreamLost", "Synced")
    assert server.seen[1].query["sendInitialEvents"] == "true"


def test_gone_three_times_in_a_row_is_not_asked_hot(server: ScriptedServer, start: Start, got: Collected) -> None:
    """F3: the pauses of a stream that never lives grow."""
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "gone"}}
    server.always("GET", PODS, Watch((gone,)))
    start(settings=QUICK._replace(longest_pause=5.0))
    server.wait_for(3)
    asked = threading.Event()
    asked.wait(0.3)
    assert len(server.seen) < 8


def test_an_object_made_anew_while_nobody_looked_is_deleted_first(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    server.expect("GET", PODS, Watch((added("a", "3", uid="old"), bookmark("9", initial_end=True))), status(410))
    server.expect("GET", PODS, Watch((added("a", "20", uid="new"), bookmark("30", initial_end=True)), "hold"))
    start()
    got.wait_for("+a@3", "Synced", "StreamLost", "-a/old", "+a@20", "Synced")


def test_a_version_seen_before_is_not_delivered_twice(server: ScriptedServer, start: Start, got: Collected) -> None:
    events = (added("a", "3"), bookmark("9", initial_end=True), modified("a", "3"), modified("a", "12"))
    server.expect("GET", PODS, Watch(events, "hold"))
    start()
    got.wait_for("+a@3", "Synced", "+a@12")


def test_a_gap_above_thirty_seconds_lists_anew(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True),)))
    server.expect("GET", PODS, Watch((bookmark("30", initial_end=True),), "hold"))
    start(settings=QUICK._replace(gap=-1.0))
    assert server.wait_for(2)[1].query["sendInitialEvents"] == "true"


def test_a_quiet_stream_is_listed_anew_once_a_minute(server: ScriptedServer, start: Start, got: Collected) -> None:
    """readiness.md 7.2, rule 7: here the minute is over at once."""
    server.expect("GET", PODS, Watch((added("a", "3"), bookmark("9", initial_end=True))))
    server.expect("GET", PODS, Watch((bookmark("30", initial_end=True),), "hold"))
    start(settings=QUICK._replace(safety=-1.0))
    got.wait_for("+a@3", "Synced", "-a/uid-a")
    assert "StreamLost" not in got.words


def test_a_refresh_lists_anew_without_losing_the_stream(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, Watch((added("a", "3"), bookmark("9", initial_end=True)), "hold"))
    server.expect("GET", PODS, Watch((bookmark("30", initial_end=True),), "hold"))
    reflector = start(settings=QUICK._replace(read=5.0))
    got.wait_for("+a@3", "Synced")
    reflector.refresh()
    got.wait_for("+a@3", "Synced", "-a/uid-a", "Synced")
    assert "StreamLost" not in got.words


def test_a_refresh_that_comes_while_a_watch_is_being_opened_is_not_forgotten(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    begun = threading.Event()
    reflector: list[Reflector] = []

    def hurried(seen: Any) -> Watch:
        begun.wait(5.0)
        reflector[0].refresh()
        return Watch((added("old", "3"), bookmark("9", initial_end=True)), "hold")

    server.expect("GET", PODS, hurried, Watch((added("new", "4"), bookmark("30", initial_end=True)), "hold"))
    reflector.append(start(settings=QUICK._replace(read=20.0)))
    begun.set()
    got.wait_for("+new@4", "Synced")


def test_watches_that_the_server_ends_as_soon_as_they_begin_are_no_stream(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    """They end without an error, so a loop without a pause would open thousands in a second."""
    server.always("GET", PODS, Watch((bookmark("9", initial_end=True),), "end"))
    start(settings=QUICK._replace(longest_pause=60.0))
    got.wait_for("Synced", "StreamLost", "Synced", "StreamLost", "Synced", "StreamLost")
    assert len(server.seen) <= 6


def test_an_event_split_over_chunks_is_put_together(server: ScriptedServer, start: Start, got: Collected) -> None:
    whole = b'{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"3"}}}\n'
    server.expect("GET", PODS, Watch((whole[:20], whole[20:50], whole[50:] + whole[:10], whole[10:]), "hold"))
    start()
    got.wait_for("+a@3")


def test_an_object_that_does_not_fit_its_struct_is_delivered_all_the_same(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    odd = added("a", "3") | {"object": {**item("a", "3"), "status": {"containerStatuses": "odd"}}}
    server.expect("GET", PODS, Watch((odd, added("b", "4")), "hold"))
    start()
    got.wait_for("+a@3", "+b@4")


def test_bytes_that_are_no_watch_break_the_stream(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), b"<html>\n")), Watch((), "hold"))
    start()
    got.wait_for("Synced", "StreamLost", "Synced")


def test_a_retry_after_is_respected(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect(
        "GET", PODS, status(429, headers={"Retry-After": "1"}), Watch((bookmark("9", initial_end=True),), "hold")
    )
    start()
    got.wait_until(lambda words: "Synced" in words)
    assert len(server.seen) == 2


def test_a_401_loads_the_credentials_anew(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, status(401), Watch((bookmark("9", initial_end=True),), "hold"))
    start()
    got.wait_for("Synced")
    assert server.seen[1].headers["Authorization"] == "Bearer token-2"


def test_credentials_that_cannot_be_loaded_do_not_end_the_stream(
    server: ScriptedServer, start: Start, got: Collected, live_client: Client
) -> None:
    def broken(seen: object) -> Say:
        live_client.unusable = 2
        return status(401)

    server.expect("GET", PODS, broken, status(401), Watch((bookmark("9", initial_end=True),), "hold"))
    start()
    got.wait_for("Synced")


def test_a_missing_permission_is_said_once(server: ScriptedServer, start: Start) -> None:
    server.always("GET", PODS, status(403, "Forbidden", "pods is forbidden"))
    lines: list[str] = []
    start(notify=lines.append)
    server.wait_for(4)
    assert len(lines) == 1
    assert "pods is forbidden" in lines[0]


def test_secrets_are_watched_without_their_bytes(server: ScriptedServer, start: Start) -> None:
    server.expect("GET", "/api/v1/namespaces/shop/secrets", Watch((), "hold"))
    start("Secret")
    assert "as=PartialObjectMetadata;" in server.wait_for(1)[0].headers["Accept"]


def test_stopping_wakes_a_stream_that_waits(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True),), "hold"))
    reflector = start(settings=QUICK._replace(read=60.0))
    got.wait_for("Synced")
    reflector.stop()  # the fixture asserts that the thread ends within 3 s
    assert got.words == ["Synced"]


def test_no_answer_at_all_is_tried_again(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, Hold(), Watch((bookmark("9", initial_end=True),), "hold"))
    start()
    got.wait_for("Synced")


def test_the_watch_is_paired_with_our_own_writes_to_measure_its_lag(
    server: ScriptedServer, start: Start, got: Collected, live_client: Client
) -> None:
    now = live_client.transport.steady()
    live_client.lag.written("10", now, now)
    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), modified("a", "10")), "hold"))
    start()
    got.wait_for("Synced", "+a@10")
    lag = live_client.lag.percentile(0.95)
    assert lag is not None
    assert 0 <= lag < 5


def test_the_field_selector_is_sent_with_the_list_and_the_watch(
    server: ScriptedServer, start: Start, got: Collected
) -> None:
    server.expect("GET", PODS, NO_WATCH_LIST, listing([]), Watch((), "hold"))
    start(field_selector="type!=Normal")
    assert [seen.query["fieldSelector"] for seen in server.wait_for(3)] == ["type!=Normal"] * 3


def test_a_plain_answer_in_place_of_a_list_is_tried_again(server: ScriptedServer, start: Start, got: Collected) -> None:
    server.expect("GET", PODS, NO_WATCH_LIST, Say(200, b"<html>"), listing([]), Watch((), "hold"))
    start()
    got.wait_for("Synced")


def test_a_stream_that_dies_of_a_bug_is_lost_and_not_current(
    server: ScriptedServer, live_client: Client, got: Collected
) -> None:
    def deliver(event: Event) -> None:
        got(event)
        if isinstance(event, ObjectChanged):
            raise RuntimeError("a bug")

    server.expect("GET", PODS, Watch((bookmark("9", initial_end=True), added("a", "10")), "hold"))
    target = Target(BUILT_IN["", "Pod"], "Pod", "shop")
    reflector = Reflector(live_client.transport, target, deliver, lag=live_client.lag, settings=QUICK)
    with pytest.raises(RuntimeError):
        reflector.run()
    assert got.words == ["Synced", "+a@10", "StreamLost"]
