"""Off a terminal: a line per change, a sign of life in between, and never a list that nobody reads."""

from __future__ import annotations

from typing import Any

from bakery_ops.model.contract import Stage
from bakery_ops.report.progress import HEARTBEAT, LineProgress
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.diagnosis import RootCause
from bakery_ops.rules.rollout.state import Phase
from bakery_ops.rules.rollout.view import NodeView, RolloutView
from bakery_ops.rules.verdict import Verdict


class Paper(Terminal):
    """A terminal whose time is told, which remembers what was said."""

    def __init__(self, now: float) -> None:
        super().__init__({})
        self.now, self.lines = now, list[str]()

    def elapsed(self) -> float:
        return self.now

    def say(self, line: str) -> None:
        self.lines.append(line)


def row(name: str, verdict: Verdict = Verdict.PROGRESSING, **more: Any) -> NodeView:
    told = {"is_workload": True, "started": 1.0, "message": "", **more}
    return NodeView(
        name, "Deployment", Stage.MICROSERVICE, told["is_workload"], Phase.APPLIED, verdict, told["message"], 2.0,
        told["started"], 0, (), False,
    )  # fmt: skip


def view(*rows: NodeView) -> RolloutView:
    return RolloutView(3.0, 0.0, {each.name: each for each in rows}, (), (), None)


def test_the_heartbeat_counts_from_the_first_view_and_not_from_the_start_of_the_command():
    paper = Paper(now=HEARTBEAT * 10)
    progress = LineProgress(paper)
    progress(view(row("web")))
    assert paper.lines == []
    paper.now += HEARTBEAT + 1
    progress(view(row("web", message="0/1 available")))
    progress(view(row("web", message="0/1 available")))
    assert paper.lines == ["still waiting for web (0/1 available)"]


def test_the_heartbeat_names_three_and_first_those_that_are_on_their_way():
    paper = Paper(now=0.0)
    progress = LineProgress(paper)
    rows = [row(name, Verdict.BLOCKED, started=None) for name in "abcd"]
    progress(view(*rows, row("web")))
    paper.now += HEARTBEAT + 1
    progress(view(*rows, row("web")))
    assert paper.lines == ["still waiting for web, a, b and 2 more"]


def test_what_comes_after_the_last_workload_is_said_once():
    paper = Paper(now=0.0)
    progress = LineProgress(paper)
    late = row("oven/big", is_workload=False, message="has no status yet")
    progress(view(row("web", Verdict.READY), late))
    progress(view(row("web", Verdict.READY), late))
    assert paper.lines[1:] == ["still waiting for oven/big (has no status yet)"]


def test_that_a_platform_is_watched_after_its_last_workload_is_said():
    paper = Paper(now=0.0)
    LineProgress(paper)(view(row("web", Verdict.READY)))
    assert paper.lines[1:] == ["all ready; watching that it stays so"]


def test_what_becomes_ready_at_one_time_is_counted_one_by_one():
    paper = Paper(now=0.0)
    found = row("old", Verdict.READY, started=None)
    LineProgress(paper)(view(found, row("web", Verdict.READY), row("db", Verdict.READY), row("late")))
    assert [line.partition(" ")[0] for line in paper.lines] == ["[2/4]", "[3/4]"]


def test_a_cause_is_told_once_however_often_it_restarts_meanwhile():
    paper = Paper(now=0.0)
    progress = LineProgress(paper)
    for reason, message in (("Crash", "3 restarts"), ("Crash", "4 restarts"), ("OOMKilled", "2 times"), ("Crash", "5")):
        cause = RootCause("web", Verdict.FAILED, "is down", reason, message, (), (), (), ("web",), Stage.MICROSERVICE)
        progress(view(row("web", Verdict.PROGRESSING))._replace(causes=(cause,)))
    assert paper.lines == ["cause: web is down: Crash: 3 restarts", "cause: web is down: OOMKilled: 2 times"]


def test_nothing_is_said_where_nothing_was_started():
    paper = Paper(now=0.0)
    LineProgress(paper)(view(row("web", Verdict.READY, started=None)))
    assert paper.lines == []
