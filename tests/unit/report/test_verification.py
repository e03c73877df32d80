"""A watch tells its first look whole, then a line for each check that stands otherwise."""

from __future__ import annotations

import json

from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import WatchTeller
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows.watching import Seen

AT = 1_767_225_600.0
GOOD = CheckResult("workloads-ready", CheckState.PASSED, "2 of 2 workloads ready")
DOWN = CheckResult("workloads-ready", CheckState.FAILED, "0 of 2 workloads ready", ("web: it broke", "db: too"))


def seen(at: float, check: CheckResult, *changes: CheckResult) -> Seen:
    return Seen(at, VerifyReport((check,), 0.1), changes)


def told(capsys, *looks: Seen, as_json: bool = False) -> list[str]:
    teller = WatchTeller(Terminal({}), 600.0, as_json=as_json)
    for look in looks:
        teller.tell(look)
    teller.end(looks[-1])
    return capsys.readouterr().out.splitlines()


def test_a_change_is_one_line_with_its_time_and_its_first_reason(capsys):
    lines = told(capsys, seen(AT, GOOD, GOOD), seen(AT + 12, DOWN, DOWN), seen(AT + 60, GOOD, GOOD))
    assert lines == [
        "ok    workloads-ready     2 of 2 workloads ready",
        "2026-01-01T00:00:12Z  FAIL  workloads-ready     0 of 2 workloads ready: web: it broke and 1 more",
        "2026-01-01T00:01:00Z  ok    workloads-ready     2 of 2 workloads ready",
    ]


def test_a_server_that_is_away_and_comes_back_is_two_lines(capsys):
    lines = told(capsys, seen(AT, GOOD, GOOD), Seen(AT + 30, None, (), "no answer"), seen(AT + 60, GOOD))
    assert lines[1:] == [
        "2026-01-01T00:00:30Z  ?     no answer",
        "2026-01-01T00:01:00Z  the API server answers again; nothing else has changed",
    ]


def test_programs_get_a_line_of_json_for_each_change(capsys):
    lines = told(capsys, seen(AT, DOWN, DOWN), Seen(AT + 30, None, (), "no answer"), as_json=True)
    first, second = map(json.loads, lines)
    assert (first["kind"], first["at"], first["passed"]) == ("VerifyReport", "2026-01-01T00:00:00Z", False)
    assert (second["passed"], second["trouble"]) == (None, "no answer")
