"""Five thousand objects: everything that is done to a render before a cluster is contacted, and the first step after.

No clock is asked. What counts is that nothing is looked at more often than its share when the render grows tenfold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.graph import Graph
from bakery_ops.rules.plan import plan
from bakery_ops.rules.readiness import judge
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import Apply, Finish, ObjectChanged, Outcome
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.state import Phase
from bakery_ops.workflows.check import check
from bakery_ops.workflows.observe import watched_only
from bakery_ops.workflows.rollout_requests import live_object

SERVICE = """
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: s{n}-config, namespace: shop}}
data: {{key: "{padding}"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: s{n}, namespace: shop}}
automountServiceAccountToken: false
---
apiVersion: v1
kind: Service
metadata: {{name: s{n}-db, namespace: shop}}
spec: {{selector: {{app: s{n}-db}}, ports: [{{port: 5432}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: s{n}-db, namespace: shop, labels: {{app.kubernetes.io/component: database}}}}
spec:
  selector: {{matchLabels: {{app: s{n}-db}}}}
  template: {{metadata: {{labels: {{app: s{n}-db}}}}, spec: {{containers: [{{name: db, image: "db:1"}}]}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: s{n}, namespace: shop, labels: {{app.kubernetes.io/component: microservice}}}}
spec:
  selector: {{matchLabels: {{app: s{n}}}}}
  template:
    metadata: {{labels: {{app: s{n}}}, annotations: {{bakery-ia.dev/waits-for: s{n}-db}}}}
    spec:
      serviceAccountName: s{n}
      containers: [{{name: app, image: "app:1", envFrom: [{{configMapRef: {{name: s{n}-config}}}}]}}]
"""
OBJECTS_EACH = SERVICE.count("---")
READY = {
    "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1, "observedGeneration": 1,
    "conditions": [
        {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
        {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
    ],
}  # fmt: skip


def rendered(objects: int, padding: int = 0) -> str:
    return "".join(SERVICE.format(n=n, padding="x" * padding) for n in range(objects // OBJECTS_EACH))


def graph_of(objects: int) -> Graph:
    return build_graph(load(rendered(objects), "large", namespace="shop"))


class Counting:
    """The rules, and how often they were asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, observation: Any, memory: Any) -> Any:
        self.calls += 1
        return judge(observation, memory)


def lives(graph: Graph) -> Iterator[Any]:
    """Every object as the cluster shows it once all is well."""
    for number, node in enumerate(graph.values()):
        body = dict(node.manifest.body)
        metadata = {**body["metadata"], "uid": f"u{number}", "generation": 1, "resourceVersion": str(number + 1)}
        spec = {**(body.get("spec") or {}), "replicas": 1, "clusterIP": "10.0.0.1"}
        yield live_object({**body, "metadata": metadata, "spec": spec, "status": READY})
        if node.ref.kind == "Service":
            labels = {"kubernetes.io/service-name": node.ref.name}
            slice_of = {"name": node.ref.name, "namespace": "shop", "uid": f"e{number}", "labels": labels}
            kind = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice"}
            yield live_object({**kind, "metadata": slice_of, "endpoints": [{"conditions": {"ready": True}}]})


def judged(graph: Graph) -> int:
    """How often the rules are asked about a platform that stands."""
    counting = Counting()
    kinds = {*STREAMED_KINDS, *(node.ref.kind for node in graph.values())}
    commands = machine.begin(
        graph, watched_only(graph), Options(), 0.0, snapshot=lives(graph), synced=kinds, judge=counting
    )[1]
    assert commands == [Finish(Outcome.SUCCEEDED)]
    return counting.calls


@pytest.fixture(scope="module")
def large() -> Graph:
    return graph_of(5000)


def test_five_thousand_objects_are_checked_and_planned(large: Graph) -> None:
    report = check([node.manifest for node in large.values()], namespace="shop", strict=False)
    decided = plan(large, {})
    assert (len(large), report.objects, len(decided.changes)) == (5000, 5000, 5000)
    commands = machine.begin(large, decided, Options(width=16), 0.0)[1]
    started = [large[command.node] for command in commands if isinstance(command, Apply)]
    assert 0 < sum(node.is_workload for node in started) <= 16, "a large platform does not start all at once"


def test_twenty_megabytes_are_one_render_like_any_other() -> None:
    text = rendered(1000, padding=100_000)
    assert len(text) > 20_000_000
    assert len(load(text, "large", namespace="shop")) == 1000


def test_the_rules_are_asked_as_often_per_object_as_on_a_platform_of_a_tenth(large: Graph) -> None:
    small = graph_of(500)
    assert judged(large) * len(small) == judged(small) * len(large)
    assert judged(small) <= 2 * len(small)


def test_one_change_is_judged_by_itself_however_large_the_platform_is(large: Graph) -> None:
    counting = Counting()
    rollout, _ = machine.begin(large, plan(large, {}), Options(), 0.0, judge=counting)
    node = next(node for node in large.values() if node.is_workload)
    body = {**node.manifest.body, "metadata": {**node.manifest.body["metadata"], "uid": "u", "resourceVersion": "1"}}
    rollout.nodes[node.name].phase = Phase.APPLIED
    before = counting.calls
    machine.step(rollout, ObjectChanged(1.0, live_object(body)))
    assert 1 <= counting.calls - before <= 5
