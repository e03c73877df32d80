"""How everything stands, in a table and one line that is enough."""

from __future__ import annotations

from bakery_ops.report.status import show_status
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict
from tests.unit.report.test_progress import row


def test_the_count_of_what_is_ready_stands_below_the_table(capsys) -> None:
    rows = [row("web", Verdict.READY), row("db"), row("configmap/app", Verdict.READY, is_workload=False)]
    show_status(Terminal({}), RolloutView(3.0, 0.0, {each.name: each for each in rows}, (), (), None))
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 2 workloads ready"
