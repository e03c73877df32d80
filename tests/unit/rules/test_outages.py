"""F31, F43: without names, or without a node, that is the cause, and not the eighteen services that show it."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.graph import Graph
from bakery_ops.rules.diagnosis import Condition, RootCause, roots
from bakery_ops.rules.next_step import Address, next_step
from bakery_ops.rules.outages import DNS, NODES, Outage, dns_outage, explained, node_outage
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Verdict
from bakery_ops.workflows import preflight
from tests.fakes import FakeCluster
from tests.rollouts import node

DOWN = Outage(DNS, "is down", "0 of 1 pods of deployment/coredns in kube-system are ready")


def coredns(label: str = "kube-dns", *, ready: int = 0, **spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"k8s-app": label}}
    metadata = {"name": "coredns", "namespace": "kube-system"}
    return {"metadata": metadata, "spec": {"selector": selector, **spec}, "status": {"readyReplicas": ready}}


@pytest.mark.parametrize(
    ("deployments", "message"),
    [
        ([coredns()], "0 of 1 pods of deployment/coredns in kube-system are ready"),
        ([coredns(replicas=2)], "0 of 2 pods of deployment/coredns in kube-system are ready"),
        ([coredns(replicas=0)], "deployment/coredns in kube-system is scaled to 0"),
        ([coredns(ready=1)], ""),
        ([coredns("metrics-server")], ""),
        ([], ""),
    ],
)
def test_an_outage_is_told_from_the_deployments_of_the_system(deployments: list[dict[str, Any]], message: str) -> None:
    found = dns_outage(deployments)
    assert (found.message if found else "") == message


def machine(name: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    ready = {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": "MemoryPressure", "status": "False"}, ready]},
    }


def test_a_cluster_without_a_ready_node_says_what_the_first_of_them_says() -> None:
    dead = machine("node-1", "False", "KubeletNotReady", "container runtime is down")
    assert str(node_outage([dead])) == (
        "the cluster has no node that is ready: node-1: KubeletNotReady: container runtime is down"
    )
    assert "node-1 and 1 more" in str(node_outage([machine("node-2", "Unknown"), dead]))
    assert node_outage([dead, machine("node-2", "True")]) is None
    assert node_outage([]) is None


def pressed(name: str) -> dict[str, Any]:
    found = machine(name, "True")
    full = {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "disk is full"}
    found["status"]["conditions"].append(full)
    return found


def test_a_cluster_all_of_whose_nodes_are_full_says_so_unless_one_takes_pods() -> None:
    """F33"""
    said = "the cluster has no node that takes new pods: node-1: KubeletHasDiskPressure: disk is full"
    cordoned = {**machine("node-2", "True"), "spec": {"unschedulable": True}}
    control = {**machine("node-3", "True"), "spec": {"taints": [{"key": "node-role.kubernetes.io/control-plane"}]}}
    assert str(node_outage([pressed("node-1")])) == said
    assert str(node_outage([cordoned, control, machine("node-4", "False"), pressed("node-1")])) == said
    assert node_outage([pressed("node-1"), machine("node-2", "True")]) is None
    assert node_outage([cordoned, control]) is None


def test_full_nodes_explain_what_finds_no_place_or_loses_it_and_not_what_fails_by_itself() -> None:
    """F33"""
    graph = Graph([node("web"), node("shop"), node("db"), node("seed")])
    found = node_outage([pressed("node-1")])
    assert found is not None
    causes = explained(failing(graph, web="Unschedulable", shop="Evicted", db="CrashLoopBackOff"), graph, found)
    assert [cause.node for cause in causes] == ["the cluster", "db", "seed"]
    assert set(causes[0].members) == {"web", "shop"}


def test_a_cluster_without_a_ready_node_explains_pods_that_no_node_takes_and_keeps_its_command() -> None:
    graph = Graph([node("web"), node("shop")])
    found = Outage(NODES, "has no node that is ready", "node-1: KubeletNotReady")
    (cause,) = explained(failing(graph, shop="Unschedulable"), graph, found)
    assert cause.sentence == "the cluster has no node that is ready: node-1: KubeletNotReady; blocks 2 services"
    assert next_step(cause, graph["web"].ref, Address("here")) == "kubectl --context here describe nodes"


def failing(graph: Graph, **reasons: str) -> tuple[RootCause, ...]:
    conditions = {name: Condition(Verdict.PROGRESSING, "Init:0/1") for name in graph}
    for name, reason in reasons.items():
        evidence = Evidence(EvidenceClass.PERMANENT, reason, "told", f"pod/{name}")
        conditions[name] = Condition(Verdict.FAILED, evidence=(evidence,))
    return roots(graph, conditions)


def test_it_is_one_sentence_for_all_whose_containers_run() -> None:
    graph = Graph([node(f"s{number}") for number in range(18)])
    (cause,) = explained(failing(graph, s3="CrashLoopBackOff"), graph, DOWN)
    assert cause.sentence == f"cluster DNS is down: {DOWN.message}; blocks 18 services"
    command = next_step(cause, graph["s3"].ref, Address("here"))
    assert command == "kubectl --context here -n kube-system get pods --selector k8s-app=kube-dns"


def test_what_names_cannot_explain_keeps_its_own_sentence() -> None:
    graph = Graph([node("web"), node("shop")])
    first, second = explained(failing(graph, web="CrashLoopBackOff", shop="ErrImagePull"), graph, DOWN)
    assert first.members == ("web",)
    assert second.sentence == "shop is down: ErrImagePull: told"
    alone = failing(Graph([node("shop")]), shop="ErrImagePull")
    assert explained(alone, Graph([node("shop")]), DOWN) == alone


def test_what_somebody_paused_is_no_victim_of_an_outage() -> None:
    graph = Graph([node("web"), node("shop")])
    held = Condition(Verdict.PROGRESSING, "paused", held=True)
    causes = roots(graph, {"web": Condition(Verdict.PROGRESSING, "Init:0/1"), "shop": held})
    first, second = explained(causes, graph, DOWN)
    assert first.members == ("web",)
    assert second.sentence == "shop is held: paused"


def test_a_deploy_is_refused_only_where_waiting_brings_nothing() -> None:
    cluster = FakeCluster()
    assert preflight.names_resolve(cluster) is None
    cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", **coredns(replicas=1)})
    assert preflight.names_resolve(cluster) == DOWN
    cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", **coredns(replicas=0)})
    with pytest.raises(PreflightRefused, match="scaled to 0"):
        preflight.names_resolve(cluster)
