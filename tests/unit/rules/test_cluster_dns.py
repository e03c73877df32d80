"""F43: when names do not resolve, that is the cause, and not the eighteen services that show it."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import PreflightRefused
from bakery_ops.model.graph import Graph
from bakery_ops.rules.cluster_dns import Outage, explained, outage
from bakery_ops.rules.diagnosis import Condition, RootCause, roots
from bakery_ops.rules.next_step import Address, next_step
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Verdict
from bakery_ops.workflows import preflight
from tests.fakes import FakeCluster
from tests.rollouts import node

DOWN = Outage("0 of 1 pods of deployment/coredns in kube-system are ready", is_meant=False)


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
    found = outage(deployments)
    assert (found.message if found else "") == message


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


def test_a_deploy_is_refused_only_where_waiting_brings_nothing() -> None:
    cluster = FakeCluster()
    assert preflight.names_resolve(cluster) is None
    cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", **coredns(replicas=1)})
    assert preflight.names_resolve(cluster) == DOWN
    cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", **coredns(replicas=0)})
    with pytest.raises(PreflightRefused, match="scaled to 0"):
        preflight.names_resolve(cluster)
