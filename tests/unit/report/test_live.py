"""The live view tells the same facts on every screen, as far as there is room, and never lets a cluster draw."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from bakery_ops.model.contract import Stage
from bakery_ops.report.live import LiveProgress, drawn
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.state import Phase
from bakery_ops.rules.rollout.view import NodeView, RolloutView, StageView
from bakery_ops.rules.verdict import Verdict
from tests.reports import HOSTILE, deployed
from tests.simulation import CRASH, QUOTA, Behaviour


def row(name: str, verdict: Verdict = Verdict.PROGRESSING, **more: Any) -> NodeView:
    told = {
        "message": "0/1 available; Init:wait-for-redis (0/2)",
        "ready": (0, 1),
        "event": "Pulled: it is there",
        **more,
    }
    return NodeView(
        name, "Deployment", Stage.MICROSERVICE, True, Phase.APPLIED, verdict, told.pop("message"), 100.0,
        told.pop("started", 100.0), 0, told.pop("waiting_for", ()), False, **told,
    )  # fmt: skip


def screen(*rows: NodeView, width: int = 120, height: int = 30) -> list[str]:
    view = RolloutView(
        107.0,
        100.0,
        {node.name: node for node in rows},
        (StageView(Stage.MICROSERVICE, 18, 3, 0, 0, 100.0, None),),
        (),
        None,
    )
    return drawn_lines(view, width=width, height=height)


def drawn_lines(view: RolloutView, *, width: int = 120, height: int = 30, left: float | None = None) -> list[str]:
    paper = StringIO()
    console = Console(file=paper, width=width, height=height, no_color=True, markup=False)
    console.print(drawn(view, 12.0, width=width, height=height, left=left))
    return [line.rstrip() for line in paper.getvalue().splitlines()]


def test_a_wide_screen_shows_what_a_workload_hangs_in_for_whom_since_when_and_its_last_event():
    head, stages, heading, line, *_ = screen(row("auth-service"))
    assert (head, stages) == ("  12.0s  0 of 1 ready", "services 3/18")
    assert heading.split() == ["name", "kind", "ready", "state", "age", "phase", "last", "event"]
    words = "auth-service Deployment 0/1 progressing 7s Init:wait-for-redis (0/2) Pulled: it is there"
    assert " ".join(line.split()) == words


class Screen(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_last_view_is_drawn_and_its_troubles_are_told_before_the_screen_is_given_back():
    shown = Screen()
    terminal = Terminal({"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}, err=shown)
    progress = LiveProgress(terminal)
    with progress.drawing():
        for number in range(30):
            broken = row("web", Verdict.FAILED if number == 29 else Verdict.PROGRESSING, message=f"look {number}")
            progress(RolloutView(100.0 + number, 100.0, {"web": broken}, (), (), None))
    assert "look 29" in shown.getvalue()


def test_a_screen_without_workloads_on_their_way_says_what_is_waited_for():
    assert screen(row("a", Verdict.READY)) == [
        "  12.0s  1 of 1 ready",
        "services 3/18",
        "all ready; watching that it stays so",
    ]


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, ["name", "ready", "state", "age", "phase"]),
        (50, ["name", "ready", "state", "age"]),
        (40, ["name", "state", "age"]),
        (20, ["name"]),
    ],
)
def test_a_narrow_screen_keeps_the_names_and_drops_the_rest_by_rank(width, headings):
    """Faults B60."""
    lines = screen(row("auth-service", message="x" * 300, event="y" * 300), width=width)
    assert lines[-2].split() == headings
    assert lines[-1].startswith("auth-service")
    assert all(len(line) <= width for line in lines)


def test_long_messages_do_not_push_names_off_the_screen():
    line = screen(row("a" * 30, message="x" * 500, event="y" * 500))[3]
    assert line.startswith("a" * 30)
    assert "7s" in line


def test_whom_a_workload_waits_for_is_said_once():
    told = screen(
        row("a", message="waits for db", waiting_for=("db",)), row("b", message="stands", waiting_for=("db",))
    )
    assert [line for line in told if "waits for db, for" in line] == []
    assert any("stands, for db" in line for line in told)


def test_trouble_comes_first_and_what_has_no_room_is_counted():
    rows = [row(f"w{number:02}", message=f"step {number}") for number in range(20)]
    lines = screen(*rows, row("broken", Verdict.FAILED), height=12)
    assert lines[0] == "  12.0s  0 of 21 ready, 1 failed"
    assert lines[3].startswith("broken")
    assert lines[-1] == "… and 16 more on their way"


def test_many_in_the_same_plight_share_a_row_with_their_pods_counted_together():
    alike = [row(f"w{number}", started=100.0 - number) for number in range(9)]
    lines = screen(*alike, row("broken", Verdict.FAILING), row("other", Verdict.FAILING))
    assert [line.split()[0] for line in lines[3:5]] == ["broken", "other"], "trouble is never summed up"
    assert lines[5].startswith("9 like w8 ")
    assert " 0/9 " in lines[5]
    assert len(lines) == 6


def test_what_has_not_begun_is_counted_with_what_most_of_it_waits_for():
    late = [row(f"w{number}", Verdict.BLOCKED, started=None, waiting_for=("redis", "w9")) for number in range(9)]
    lines = screen(row("redis"), row("db"), *late, row("x", Verdict.BLOCKED, started=None, waiting_for=("db",)))
    assert lines[-1] == "10 wait to begin: 9 for redis, 1 for db"
    assert screen(row("redis"), row("w", Verdict.BLOCKED, started=None))[-1] == "1 waits to begin"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, ["configuration 9/9  databases 18/18  migrations 3/18  seed jobs 0/21"]),
        (40, ["migrations 3/18  seed jobs 0/21"]),
        (30, ["migrations 3/18", "seed jobs 0/21"]),
    ],
)
def test_a_narrow_screen_leaves_out_stages_that_are_done_and_breaks_between_others(width, shown):
    stages = (
        StageView(Stage.FOUNDATION, 9, 9, 0, 0, 100.0, 101.0),
        StageView(Stage.DATABASE, 18, 18, 0, 0, 100.0, 102.0),
        StageView(Stage.MIGRATION, 18, 3, 0, 0, 101.0, None),
        StageView(Stage.SEED, 21, 0, 0, 0, None, None),
    )
    lines = drawn_lines(RolloutView(107.0, 100.0, {"web": row("web")}, stages, (), None), width=width)
    assert lines[1 : 1 + len(shown)] == shown


def test_a_narrow_screen_cuts_names_before_states_and_ages():
    line = screen(row("a" * 36, Verdict.FAILING), width=40)[-1]
    assert line.endswith("…  failing   7s")


def test_a_guess_of_the_time_left_is_said_to_be_one():
    view = RolloutView(107.0, 100.0, {"web": row("web")}, (), (), None)
    assert drawn_lines(view, left=47.0)[0] == "  12.0s  0 of 1 ready, about 45 s left by the last run"


def test_an_empty_column_of_events_leaves_its_room_to_the_phases():
    assert "last event" not in "".join(screen(row("web", event="")))


def test_what_is_ready_is_no_row():
    names = [line.split()[0] for line in screen(row("web", Verdict.READY), row("db"))[3:] if line]
    assert names == ["db"]


def test_a_cluster_cannot_draw_on_the_screen():
    text = "\n".join(screen(row("web", message=HOSTILE, event=HOSTILE), width=200))
    assert [character for character in text if not character.isprintable() and character != "\n"] == []
    assert "\\x1b[31m<script>" in text


def test_a_view_counts_ready_pods_and_has_the_last_event():
    views = deployed({"web": Behaviour(fault=QUOTA), "migration": Behaviour(start=5.0)}).views
    late = [view.nodes["migration"] for view in views if view.nodes["migration"].started is not None]
    assert {node.ready for node in late} == {(0, 1), None}, "None: applied, not seen yet; or ready and no row any more"
    assert any(
        view.nodes["web"].event == "FailedCreate: Error creating: pods is forbidden: exceeded quota" for view in views
    )


def test_a_crashing_workload_has_its_count():
    views = deployed({"web": Behaviour(fault=CRASH)}).views
    assert views[-1].nodes["web"].ready == (0, 1)
