"""How everything stands, in a table and one line that is enough."""

from __future__ import annotations

import io
import re

import pytest

from bakery_ops.report.status import show_status, status_document
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict
from tests.unit.report.test_progress import row


def test_the_count_of_what_is_ready_stands_below_the_table(capsys) -> None:
    rows = [row("web", Verdict.READY), row("db"), row("configmap/app", Verdict.READY, is_workload=False)]
    show_status(Terminal({}), RolloutView(3.0, 0.0, {each.name: each for each in rows}, (), (), None))
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 2 workloads ready"


def test_the_document_says_what_the_lines_say() -> None:
    view = RolloutView(3.0, 0.0, {"web": row("web", Verdict.READY)}, (), (), None)
    holder = {"id": "ann-1", "user": "ann", "since": "2026-01-01T10:00:00Z"}
    document = status_document(view, cluster="uid/ca", version="v1.36.0", release=7, lock=holder)
    assert document["cluster"] == {"identity": "uid/ca", "version": "v1.36.0"}
    assert (document["release"], document["lock"], document["causes"]) == (7, holder, [])
    assert document["nodes"][0]["state"] == "ready"
    assert status_document(view, cluster="", version="", release=None, lock=None)["lock"] is None


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [10, 40, 80, 200])
def test_a_narrow_screen_wraps_a_table_and_loses_no_word_of_it(columns: int) -> None:
    """At 40 columns `capacity` showed the names of its phases and not one number."""
    screen = Screen()
    terminal = Terminal({"NO_COLOR": "1", "TERM": "xterm", "COLUMNS": str(columns)}, out=screen)
    assert terminal.out.width == columns
    terminal.table(
        ("phase", "pods", "of allocatable", "detail"),
        [("rolling update of everything", "62", "19%", "CrashLoopBackOff: exit code 1, 3 restarts")],
        right=(1, 2),
    )
    shown = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert "…" not in shown
    for word in ("phase", "pods", "allocatable", "rolling update of everything", "62", "19%", "CrashLoopBackOff:"):
        assert word in shown
