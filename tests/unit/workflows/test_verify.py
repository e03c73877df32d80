"""Verification waits out what trails behind a change, and no longer."""

import pytest

from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.workflows.verify import PATIENCE, verify, verify_settled
from tests.fakes import FakeClock

SERVICE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: auth-service, namespace: shop, labels: {app.kubernetes.io/component: microservice}}
spec:
  selector: {matchLabels: {app: auth}}
  template:
    metadata: {labels: {app: auth}}
    spec:
      containers: [{name: app, image: "auth:1", readinessProbe: {httpGet: {path: /health/ready, port: 8000}}}]
---
apiVersion: v1
kind: Service
metadata: {name: auth-service, namespace: shop}
spec: {selector: {app: auth}, ports: [{name: http, port: 8000}]}
"""
TEXT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: web:1}]}}
"""
READY = {
    "replicas": 1,
    "updatedReplicas": 1,
    "readyReplicas": 1,
    "availableReplicas": 1,
    "observedGeneration": 1,
    "conditions": [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ],
}


class Cluster:
    """Lists one Deployment that becomes ready after so many looks; everything else is empty."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def list(self, group, kind, namespace, *, label_selector=""):
        if kind != "Deployment":
            return []
        self.looks -= 1
        status = READY if self.looks < 0 else {"observedGeneration": 1, "replicas": 1}
        metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": 1, "resourceVersion": "1"}
        spec = {"replicas": 1}
        return [{"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec, "status": status}]


def nobody(seen):
    """No Job is known to have completed."""
    return ()


def settled(looks: int):
    clock = FakeClock(1_000.0)
    graph = build_graph(load(TEXT, "test", namespace="shop"))
    report = verify_settled(Cluster(looks), graph, clock, ClusterFacts(), simulated=True, done=nobody)
    return report, clock.now() - 1_000.0


def test_what_holds_at_once_is_not_waited_for():
    report, waited = settled(0)
    assert (report.passed, waited) == (True, 0.0)


def test_what_comes_back_in_time_is_no_failure():
    report, waited = settled(3)
    assert report.passed
    assert 0 < waited < PATIENCE


def test_what_stays_down_fails_within_the_patience():
    report, waited = settled(1_000)
    assert not report.passed
    assert waited <= PATIENCE


@pytest.mark.parametrize("name", ["auth-service", "gateway"])
def test_a_service_without_ports_is_not_asked(name):
    """A headless one, or a name for something elsewhere."""
    headless = SERVICE.replace("ports: [{name: http, port: 8000}]", "clusterIP: None").replace("auth-service", name)
    graph = build_graph(load(headless, "test", namespace="shop"))
    cluster = Probed((503, 0.01))
    verify(cluster, graph, FakeClock(), ClusterFacts(), simulated=False, only=["health"], done=nobody)
    assert cluster.asked == 0


class Probed(Cluster):
    """Services answer in turn what they were told to; the last answer stays."""

    def __init__(self, *answers):
        super().__init__(0)
        self.answers = list(answers)
        self.asked = 0

    def proxy_get(self, namespace, service, port, path, *, timeout=5.0):
        self.asked += 1
        status, seconds = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, b"", seconds


@pytest.mark.parametrize(
    ("answers", "asked", "state"),
    [
        ([(200, 0.01)], 1, CheckState.PASSED),
        ([(200, 0.9), (200, 0.01)], 2, CheckState.PASSED),
        ([(503, 0.01), (503, 0.01), (200, 0.1)], 3, CheckState.PASSED),
        ([(200, 0.9)], 3, CheckState.FAILED),
        ([(503, 0.01)], 3, CheckState.FAILED),
    ],
)
def test_a_service_is_asked_again_only_while_it_answers_slowly_or_badly(answers, asked, state):
    cluster = Probed(*answers)
    graph = build_graph(load(SERVICE, "test", namespace="shop"))
    report = verify(cluster, graph, FakeClock(), ClusterFacts(), simulated=False, only=["health"], done=nobody)
    assert [result.state for result in report.results] == [state]
    assert cluster.asked == asked
