"""F50: replicas that go over to an autoscaler stay as many as they are; a number that is only dropped is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.model.graph import Graph, Node
from bakery_ops.rules.handover import HANDOVER_MANAGER
from bakery_ops.rules.plan import plan
from bakery_ops.workflows.rollout_requests import Carrier
from bakery_ops.workflows.trial import trial
from tests.fakes import FakeCluster, Killed
from tests.rollouts import node

BEFORE = node("web", spec={"replicas": 3, "paused": False})
AFTER = node("web", spec={"paused": False})
SCALER = node(
    "web-scaler",
    "HorizontalPodAutoscaler",
    spec={"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 5},
)


def cluster_with(before: Node) -> FakeCluster:
    cluster = FakeCluster()
    Carrier(cluster, cluster.clock).apply(before, plan(Graph([before]), {}).steps["web"], None)
    return cluster


def deployed(cluster: FakeCluster, *nodes: Node) -> Any:
    graph = Graph(nodes)
    step = plan(graph, cluster.bodies()).steps["web"]
    Carrier(cluster, cluster.clock).apply(graph["web"], step, None)
    return cluster.body(graph["web"].ref)["spec"].get("replicas")


def test_an_autoscaler_finds_as_many_as_there_were() -> None:
    cluster = cluster_with(BEFORE)
    assert deployed(cluster, AFTER, SCALER) == 3
    owners = {entry["manager"] for entry in cluster.bodies()[AFTER.ref]["metadata"]["managedFields"]}
    assert HANDOVER_MANAGER in owners


def test_what_was_handed_over_is_not_handed_over_again() -> None:
    cluster = cluster_with(BEFORE)
    deployed(cluster, AFTER, SCALER)
    assert plan(Graph([AFTER, SCALER]), cluster.bodies()).steps["web"].replicas is None


def test_without_an_autoscaler_a_dropped_number_is_meant() -> None:
    assert deployed(cluster_with(BEFORE), AFTER) is None


def test_a_number_that_somebody_else_set_is_left_to_him() -> None:
    cluster = cluster_with(BEFORE)
    cluster.put({**cluster.body(BEFORE.ref), "spec": {"replicas": 7, "paused": False}}, manager="the-autoscaler")
    graph = Graph([AFTER, SCALER])
    assert plan(graph, cluster.bodies()).steps["web"].replicas is None


def test_the_plan_shows_no_change_of_what_is_kept() -> None:
    cluster = cluster_with(BEFORE)
    graph = Graph([AFTER, SCALER])
    sent = trial(graph["web"], plan(graph, cluster.bodies()).steps["web"])
    assert sent.spec["replicas"] == 3


def test_a_run_that_died_in_between_hands_over_again() -> None:
    cluster = cluster_with(BEFORE)
    graph = Graph([AFTER, SCALER])
    step = plan(graph, cluster.bodies()).steps["web"]
    cluster.kill_at = (len(cluster.mutations) + 1, "after")
    with pytest.raises(Killed):
        Carrier(cluster, cluster.clock).apply(graph["web"], step, None)
    cluster.kill_at = None
    assert deployed(cluster, AFTER, SCALER) == 3
