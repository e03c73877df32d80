"""A Job that completed and was removed by its TTL is no failure; one that nobody saw complete is."""

from __future__ import annotations

from bakery_ops.model.content import content_hash
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.rules.plan import JournalEntry
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows.observe import completed_and_gone, judge_now
from bakery_ops.workflows.verify import verify
from tests.fakes import FakeCluster
from tests.rollouts import node

JOB = node("migration", "Job", Stage.MIGRATION, spec={"template": {"spec": {"containers": []}}})
GRAPH = Graph([JOB])
COMPLETED = {"migration": JournalEntry(content_hash(JOB.manifest), "uid-1", "ready", 0.0)}


def verdict(cluster: FakeCluster, journal: dict[str, JournalEntry]) -> Verdict:
    done = completed_and_gone(GRAPH, journal)
    return judge_now(cluster, GRAPH, cluster.clock, ClusterFacts(), done=done).judgements["migration"].verdict


def test_a_job_that_completed_may_be_gone() -> None:
    assert verdict(FakeCluster(), COMPLETED) is Verdict.READY


def test_the_acceptance_checks_miss_no_job_that_completed() -> None:
    cluster = FakeCluster()
    done = completed_and_gone(GRAPH, COMPLETED)
    report = verify(cluster, GRAPH, cluster.clock, ClusterFacts(), simulated=True, only=["jobs-complete"], done=done)
    assert report.passed


def test_a_job_of_another_content_or_verdict_may_not() -> None:
    entry = COMPLETED["migration"]
    others = ({}, {"migration": entry._replace(hash="other")}, {"migration": entry._replace(verdict="failed")})
    assert Verdict.READY not in {verdict(FakeCluster(), journal) for journal in others}


def test_a_job_that_is_still_there_is_judged_by_itself() -> None:
    cluster = FakeCluster()
    cluster.apply(JOB.manifest)
    cluster.set_status(JOB.ref, conditions=[{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}])
    assert verdict(cluster, COMPLETED) is not Verdict.READY
