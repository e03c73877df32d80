"""The summary says what the deploy cost the API server, and how many checks it did not run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bakery_ops.model.graph import Graph
from bakery_ops.report import summary
from bakery_ops.report.deploys import document
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.plan import Action
from bakery_ops.rules.reports import DeployReport, VerifyReport
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.result import result
from tests.reports import RUN
from tests.rollouts import believing, looks, node, planned

WEB = node("web")


def report(*states: CheckState) -> DeployReport:
    graph = Graph([WEB])
    decided = planned(graph, {"web": Action.SKIP})
    rollout, _ = machine.begin(
        graph, decided, Options(), 0.0, snapshot=[looks(WEB)], synced=STREAMED_KINDS, judge=believing
    )
    checks = tuple(CheckResult(f"check-{number}", state, "seen") for number, state in enumerate(states))
    counted = {"get": 3, "list": 12}
    return DeployReport(decided, result(rollout, requests=4), VerifyReport(checks, 0.1), counted)


def test_all_requests_are_counted_by_kind_those_of_the_verification_too() -> None:
    told = document(report(), RUN)
    assert (told.requests, told.requests_by_kind) == (15, {"list": 12, "get": 3})
    assert list(told.requests_by_kind) == ["list", "get"], "the most frequent first"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([CheckState.PASSED], "1 unchanged"),
        ([CheckState.PASSED, CheckState.SKIPPED], "1 unchanged, 1 check skipped"),
        ([CheckState.SKIPPED, CheckState.SKIPPED], "1 unchanged, 2 checks skipped"),
    ],
)
def test_skipped_checks_are_in_the_headline(states, said, capsys) -> None:
    summary.show(Terminal(), document(report(*states), RUN))
    headline, requests = capsys.readouterr().out.splitlines()[-2:]
    assert headline == f"deployed and verified in 42.0 s: 0 applied, {said}"
    assert requests == "15 API requests; p95 watch lag 12 ms"


def test_a_lag_that_nobody_measured_is_not_mentioned(capsys) -> None:
    summary.show(Terminal(), document(report(CheckState.PASSED), replace(RUN, lag=None)))
    assert capsys.readouterr().out.splitlines()[-1] == "15 API requests"
