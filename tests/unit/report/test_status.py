"""How everything stands, in a table and one line that is enough."""

from __future__ import annotations

import io
import re

import pytest

from bakery_ops.model.contract import Stage
from bakery_ops.report.status import show_status, status_document
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.diagnosis import RootCause
from bakery_ops.rules.rollout.view import NodeView, RolloutView
from bakery_ops.rules.verdict import Verdict
from tests.unit.report.test_progress import row


def shown(capsys, *rows: NodeView, causes: tuple[RootCause, ...] = (), every: bool = False) -> list[str]:
    show_status(Terminal({}), RolloutView(3.0, 0.0, {each.name: each for each in rows}, (), causes, None), every=every)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_all_ready_is_one_line(capsys) -> None:
    rows = [row("web", Verdict.READY), row("configmap/app", Verdict.READY, is_workload=False)]
    assert shown(capsys, *rows) == ["1 of 1 workloads ready; --all names each"]


def test_what_is_not_ready_stands_first_the_worst_of_it_on_top(capsys) -> None:
    rows = [
        row("web", Verdict.READY),
        row("slow", message="0/1 available"),
        row("broken", Verdict.FAILED, message="it broke"),
        row("configmap/app", Verdict.PROGRESSING, is_workload=False, message="not seen in the cluster yet"),
    ]
    assert shown(capsys, *rows) == [
        "not ready kind state why restarts",
        "broken Deployment failed it broke",
        "configmap/app Deployment progressing not seen in the cluster yet",
        "slow Deployment progressing 0/1 available",
        "1 of 3 workloads ready; --all names each",
    ]


def test_a_cause_is_told_once_and_above_everything(capsys) -> None:
    cause = RootCause(
        "db", Verdict.FAILED, "is down", "ErrImagePull", "no such image", (), ("web", "service/db"),
        ((Stage.MICROSERVICE, 1),), ("db",), Stage.DATABASE,
    )  # fmt: skip
    rows = [row("db", Verdict.FAILED, message="no such image"), row("web", Verdict.BLOCKED, message="waits for db")]
    rows.append(row("service/db", Verdict.BLOCKED, is_workload=False, message="no endpoint is ready"))
    assert shown(capsys, *rows, causes=(cause,)) == [
        "db is down: ErrImagePull: no such image; blocks 1 service",
        "not ready kind state why restarts",
        "web Deployment blocked waits for db",
        "0 of 2 workloads ready; --all names each",
    ]


def test_what_is_missing_is_called_so_and_stands_above_what_waits_for_it(capsys) -> None:
    lost = row("redis", message="is not in the cluster")
    rows = [row("web", Verdict.BLOCKED, message="waits for redis"), lost]
    assert shown(capsys, *rows)[1:3] == [
        "redis Deployment missing is not in the cluster",
        "web Deployment blocked waits for redis",
    ]


def test_many_in_the_same_plight_share_a_row(capsys) -> None:
    rows = [row(f"web-{number}", Verdict.BLOCKED, message="waits for redis") for number in range(9)]
    assert shown(capsys, *rows)[1:] == [
        "web-0 and 8 more Deployment blocked waits for redis",
        "0 of 9 workloads ready; --all names each",
    ]
    assert len(shown(capsys, *rows, every=True)) == 11


def test_everything_has_the_ready_ones_below(capsys) -> None:
    rows = [row("web", Verdict.READY, message="1/1 available"), row("slow", message="0/1 available")]
    assert shown(capsys, *rows, every=True) == [
        "name kind state why restarts",
        "slow Deployment progressing 0/1 available",
        "web Deployment ready 1/1 available",
        "1 of 2 workloads ready",
    ]


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
