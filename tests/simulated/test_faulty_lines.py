"""Whole deploys over a line that breaks: each row of docs/faults.md that a proxy can carry, on a real API server.

Each case runs once: a deploy under the fault, the rerun its user would make, and a third run. Cases wait more than they
work, so they run side by side in namespaces of their own; each test then reads what its case left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy_faults import Answer, Call, Delay, Fault, HalfOpen, LoseResponse, Outage, Rule, WatchLines
from tests.simulated.kill_points import Run, Site

SIDE_BY_SIDE = 8
GONE = WatchLines(
    ({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "old"}},)
)
NOTICE = r" *[0-9.]+s  The API server https://127\.0\.0\.1:[0-9]+ "
SILENT = NOTICE + "does not answer: .* Trying on for up to"


def resumes(call: Call) -> bool:
    """A watch that goes on from where another broke off."""
    return call.is_watch and "resourceVersion" in call.query and "sendInitialEvents" not in call.query


class Case(NamedTuple):
    """One fault, and how the deploy under it has to end.

    Attributes:
        row: Of docs/faults.md.
        rules: What the proxy does.
        status: Exit code of the disturbed run.
        says: The beginning of exactly one line of its output; "" when the fault is not worth a line.
        retry_seconds: The budget of one request.
    """

    row: str
    rules: Sequence[tuple[Fault, str, str, int]]
    status: int = 0
    says: str = ""
    retry_seconds: int = 120


def on(fault: Fault, method: str, path: str, times: int = 1) -> tuple[Fault, str, str, int]:
    return fault, method, path, times


DB, WEB, JOB = "statefulsets/db$", "deployments/web$", "jobs/migrate$"
CASES: Mapping[str, Case] = {
    "down for 5 s while it applies": Case("F1", [on(Outage(5), "PATCH", DB)], says=SILENT),
    "down for 60 s while it applies": Case("F1", [on(Outage(60), "PATCH", DB)], says=SILENT),
    "down for longer than the budget": Case(
        "F1", [on(Outage(40), "PATCH", DB)], 70, "db is down: Unreachable: The API server https://127.0.0.1", 8
    ),
    "down for 5 s while it waits": Case("F2", [on(Outage(5, after=0.4), "PATCH", JOB)]),
    "down for 60 s while it waits": Case("F2", [on(Outage(60, after=0.4), "PATCH", JOB)]),
    "410 Gone as a status, three in a row": Case(
        "F3", [on(Outage(0.2, after=0.3), "PATCH", JOB), on(Answer(410), "WATCH", "pods$|jobs$", 6)]
    ),
    "410 Gone as an event, three in a row": Case(
        "F3", [on(Outage(0.2, after=0.3), "PATCH", JOB), on(GONE, "WATCH", "pods$|jobs$", 6)]
    ),
    "connections that fall silent": Case("F5", [on(HalfOpen(after=0.4), "PATCH", JOB)]),
    "429 with Retry-After": Case(
        "F6",
        [
            on(Answer(429, headers={"Retry-After": "2"}), "PATCH", DB, 2),
            on(Answer(429, headers={"Retry-After": "2"}), "GET", "", 3),
        ],
    ),
    "a storm of 429": Case("F7", [on(Answer(429), "PATCH", "", 12)], says=NOTICE + "is throttling us"),
    "a storm of 429 without an end": Case(
        "F7", [on(Answer(429), "PATCH", DB, 999)], 70, "db is down: Unreachable: The API server .* is throttling us", 8
    ),
    "500, 502, 503 and 504 for a write": Case(
        "F8",
        [
            on(Answer(status), "PATCH", name, 2)
            for status, name in ((500, DB), (502, JOB), (503, WEB), (504, "settings"))
        ],
    ),
    "an answer lost after the write": Case("F9", [on(LoseResponse(), "PATCH", name) for name in (DB, WEB, JOB)]),
    "a conflict on lock and inventory": Case(
        "F10", [on(Answer(409, {"reason": "Conflict"}), "PUT", "leases/|inventory$", 2)]
    ),
    "7 s for an answer": Case("F13", [on(Delay(7), "PATCH", "", 8)], says=NOTICE + "is slow: it took 7 s"),
    "credentials refused once": Case("F16", [on(Answer(401), "PATCH", DB)]),
    "credentials refused for good": Case(
        "F16", [on(Answer(401), "PATCH", DB, 99)], 3, "db is down: Unauthorized: .*credentials"
    ),
    "a write forbidden": Case(
        "F16",
        [on(Answer(403, {"reason": "Forbidden", "message": "no"}), "PATCH", WEB)],
        3,
        "web is down: Forbidden: no",
    ),
}


def rule(fault: Fault, method: str, path: str, times: int) -> Rule:
    """Dry runs are left alone: the fault has to meet the write itself. "WATCH" is a GET that resumes a watch."""
    if method == "WATCH":
        return Rule(fault, "GET", path, times, when=resumes)
    return Rule(fault, method, path, times, when=lambda call: "dryRun" not in call.query)


class Outcome(NamedTuple):
    """What one case left: its three runs, and the Jobs after the first and the last of them."""

    disturbed: Run
    rerun: Run
    third: Run
    jobs: Mapping[str, str]
    jobs_at_last: Mapping[str, str]
    pods: int
    holder: str
    dump: str
    outside: Sequence[str]


def tried(cluster: SandboxStatus, folder: Path, case: Case) -> Outcome:
    site = Site(cluster, f"line-{uuid4().hex[:8]}", folder, (("BAKERY_RETRY_SECONDS", str(case.retry_seconds)),))
    site.prepare()
    disturbed = site.deploy(arrange=lambda proxy: proxy.rules.add(*(rule(*each) for each in case.rules)))
    jobs, outside = site.jobs(), site.outside_inventory()
    rerun, third = site.deploy(), site.deploy()
    at_last = site.jobs()
    dump = site.dump().replace(site.namespace, "NAMESPACE")
    ended = Outcome(disturbed, rerun, third, jobs, at_last, site.pods_of(at_last), site.holder(), dump, outside)
    site.remove()
    return ended


@pytest.fixture(scope="module")
def undisturbed(simulated_cluster: SandboxStatus, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return tried(simulated_cluster, tmp_path_factory.mktemp("undisturbed"), Case("", []))


@pytest.fixture(scope="module")
def outcomes(
    simulated_cluster: SandboxStatus, undisturbed: Outcome, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        yield {
            name: pool.submit(tried, simulated_cluster, tmp_path_factory.mktemp("line"), case)
            for name, case in sorted(CASES.items(), key=lambda item: "60 s" not in item[0])
        }


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CASES)
def test_a_disturbed_deploy_ends_as_promised_and_the_next_one_converges(
    outcomes: Mapping[str, Future[Outcome]], undisturbed: Outcome, name: str
) -> None:
    """F1, F2, F3, F5, F6, F7, F8, F9, F10, F13, F16"""
    case, ended = CASES[name], outcomes[name].result()
    run = ended.disturbed
    assert run.status == case.status, run.output
    said = [line for line in run.output.splitlines() if case.says and re.match(case.says, line)]
    assert len(said) == bool(case.says), run.output
    assert ended.outside == []
    assert (ended.rerun.status, ended.third.status) == (0, 0), ended.rerun.output + ended.third.output
    assert ended.third.mutations == []
    assert ended.dump == undisturbed.dump
    assert (ended.jobs_at_last | ended.jobs, ended.pods) == (ended.jobs_at_last, 1), "a Job ran twice"
    assert ended.holder == ""
    if case.status == 0:
        assert ended.rerun.mutations == [], "the disturbed run reported success, but left something undone"
