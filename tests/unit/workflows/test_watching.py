"""Verifying goes on: a look at every change the watch tells, one each half minute, and a word only at a difference."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from bakery_ops.errors import ClusterUnreachable
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.rules.rollout.events import Synced
from bakery_ops.workflows.watching import EVERY, REST, Seen, watch
from tests.fakes import FakeCluster, FakeInbox

GOOD = CheckResult("workloads-ready", CheckState.PASSED, "2 of 2 workloads ready")
DOWN = CheckResult("workloads-ready", CheckState.FAILED, "1 of 2 workloads ready", ("web: it broke",))
WORSE = CheckResult("workloads-ready", CheckState.FAILED, "0 of 2 workloads ready", ("web: it broke", "db: too"))
QUICK = CheckResult("health", CheckState.PASSED, "2 of 2 services answer (slowest 5 ms)")
SLOW = CheckResult("health", CheckState.PASSED, "2 of 2 services answer (slowest 9 ms)")


class Place:
    """A cluster whose looks are told beforehand: results, an error, or something to do and then results."""

    def __init__(self, *looks: Iterable[CheckResult] | BaseException) -> None:
        self.cluster = FakeCluster()
        self.inbox = FakeInbox(self.cluster)
        self.began = self.cluster.clock.now()
        self.looks, self.looked, self.told = list(looks), list[float](), list[Seen]()

    def change_at(self, *moments: float) -> None:
        """The watch tells something these many seconds after the beginning."""
        for moment in moments:
            self.cluster.after(moment, lambda: self.inbox.put(Synced(self.cluster.clock.now(), "Pod")))

    def look(self) -> VerifyReport:
        self.looked.append(self.cluster.clock.now() - self.began)
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, BaseException):
            raise found
        return VerifyReport(tuple(found), 0.1)

    def watch(self, seconds: float) -> Seen:
        return watch(self.look, self.inbox, self.cluster.clock, seconds=seconds, tell=self.told.append)

    @property
    def changes(self) -> list[list[CheckResult]]:
        return [list(seen.changes) for seen in self.told]


def test_without_a_change_it_looks_every_half_minute_says_nothing_and_ends_at_the_bound():
    place = Place([GOOD, QUICK], [GOOD, SLOW])
    last = place.watch(100.0)
    assert place.looked == [0.0, EVERY, 2 * EVERY, 3 * EVERY, 100.0]
    assert place.changes == [[GOOD, QUICK]], "how long a good answer took is no change"
    assert last.report is not None
    assert last.report.passed


def test_a_change_is_looked_at_when_the_watch_tells_it_and_told_once():
    place = Place([GOOD, QUICK], [DOWN, QUICK], [DOWN, QUICK], [GOOD, QUICK])
    place.change_at(12.0)
    last = place.watch(90.0)
    assert place.looked[:3] == [0.0, 12.0, 12.0 + EVERY]
    assert place.changes == [[GOOD, QUICK], [DOWN], [GOOD]]
    assert last.report is not None
    assert last.report.passed


def test_how_many_are_down_is_a_change():
    place = Place([DOWN], [WORSE])
    place.watch(EVERY)
    assert place.changes == [[DOWN], [WORSE]]


def test_a_storm_of_changes_is_one_look_each_two_seconds():
    place = Place([GOOD])
    place.change_at(*(0.1 * number for number in range(1, 61)))
    place.watch(8.0)
    pauses = [later - earlier for earlier, later in zip(place.looked, place.looked[1:], strict=False)]
    assert min(pauses) >= REST - 0.001
    assert len(place.looked) < 7


def test_an_api_server_that_is_away_is_told_and_so_is_its_return():
    place = Place([GOOD], ClusterUnreachable("no answer"), ClusterUnreachable("no answer"), [GOOD])
    last = place.watch(4 * EVERY)
    assert [(seen.trouble, list(seen.changes)) for seen in place.told] == [("", [GOOD]), ("no answer", []), ("", [])]
    assert last.report is not None


def test_an_api_server_that_is_away_at_the_end_leaves_no_verdict():
    assert Place([GOOD], ClusterUnreachable("no answer")).watch(EVERY).report is None


def test_ctrl_c_ends_it_with_the_last_state():
    last = Place([GOOD], [DOWN], KeyboardInterrupt()).watch(10 * EVERY)
    assert last.report is not None
    assert last.report.results == (DOWN,)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ClusterUnreachable("no answer")])
def test_what_ends_the_first_look_ends_the_command(error: BaseException) -> None:
    with pytest.raises(type(error)):
        Place(error).watch(60.0)
