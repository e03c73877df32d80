"""Routine looks at a cluster in memory: read-only, and whole where a part cannot be read."""

from bakery_ops.errors import OperationFailed
from bakery_ops.model.secrets import GENERATED
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.reports import VerifyReport
from bakery_ops.workflows import health
from tests.fakes import FakeCluster

NAMESPACE = "bakery-ia"


class Verifying:
    """The acceptance checks, as they would come out."""

    def __init__(self, state: CheckState = CheckState.PASSED) -> None:
        self.state = state
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, only):
        self.asked.append(tuple(only))
        return VerifyReport((CheckResult(only[0] if only else "workloads-ready", self.state, "seen"),), 0.1)


class WithoutMetrics(FakeCluster):
    """The aggregated API is registered, but does not answer (F27)."""

    def list(self, group, kind, namespace, *, label_selector=""):
        if group == "metrics.k8s.io":
            raise OperationFailed("the server is currently unable to handle the request")
        return super().list(group, kind, namespace, label_selector=label_selector)


class SecretsStayThere(FakeCluster):
    def list(self, group, kind, namespace, *, label_selector=""):
        assert kind != "Secret", "their values are nobody's business here"
        return super().list(group, kind, namespace, label_selector=label_selector)


def names(report):
    return [check.name for check in report.results]


def test_a_daily_look_is_the_acceptance_contract_and_more_and_fails_with_it():
    cluster, verify = FakeCluster(), Verifying(CheckState.FAILED)
    report = health.daily(cluster, cluster.clock, NAMESPACE, verify)
    assert names(report) == ["workloads-ready", "memory-use", "warning-events"]
    assert (report.passed, verify.asked) == (False, [()])


def test_a_weekly_look_needs_no_acceptance_check():
    cluster = FakeCluster()
    report = health.weekly(cluster, cluster.clock, NAMESPACE)
    assert names(report) == ["finished-jobs", "autoscaler-activity", "volume-use"]
    assert report.passed


def test_a_monthly_look_checks_certificates_and_says_that_no_backup_is_shipped():
    cluster, verify = FakeCluster(), Verifying()
    report = health.monthly(cluster, cluster.clock, NAMESPACE, ClusterFacts(), verify)
    assert names(report) == ["sizing", "credentials-valid", "secret-age", "backup-drill"]
    assert verify.asked == [("credentials-valid",)]
    assert "not shipped" in report.results[-1].message


def test_a_metrics_api_that_does_not_answer_costs_only_what_it_would_have_said():
    cluster = WithoutMetrics()
    report = health.daily(cluster, cluster.clock, NAMESPACE, Verifying())
    assert [check.state for check in report.results if check.name == "memory-use"] == [CheckState.SKIPPED]
    assert report.passed


def test_the_age_of_secrets_is_told_without_reading_one():
    cluster = SecretsStayThere()
    metadata = {"name": "keys", "namespace": NAMESPACE, "annotations": {GENERATED: "true"}}
    cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": "c2VjcmV0"}})
    report = health.monthly(cluster, cluster.clock, NAMESPACE, ClusterFacts(), Verifying())
    assert [check.evidence for check in report.results if check.name == "secret-age"] == [("keys: 0 hours",)]


def test_looking_changes_nothing():
    cluster = FakeCluster()
    health.daily(cluster, cluster.clock, NAMESPACE, Verifying())
    health.weekly(cluster, cluster.clock, NAMESPACE)
    health.monthly(cluster, cluster.clock, NAMESPACE, ClusterFacts(), Verifying())
    assert cluster.mutations == []
