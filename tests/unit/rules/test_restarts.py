"""Whose pods are older than a renewed Secret, and the one field that rolls them."""

from __future__ import annotations

from typing import Any

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Action, plan
from bakery_ops.rules.restarts import RESTART_MANAGER, behind, noted, only_restarts, renewals, restart, users
from bakery_ops.workflows.rollout_requests import Carrier
from tests.fakes import FakeCluster
from tests.rollouts import NAMESPACE, node

TLS = ObjectRef("", "Secret", NAMESPACE, "db-tls")
BEFORE, AT, AFTER = "2026-11-25T19:00:00Z", "2026-11-25T19:00:01Z", "2026-11-25T19:00:02Z"


def holder(name: str, kind: str = "StatefulSet", secret: str = "db-tls") -> Node:
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"volumes": [{"name": "tls", "secret": {"secretName": secret}}]},
    }
    return node(name, kind, Stage.DATABASE, spec={"selector": {"matchLabels": {"app": name}}, "template": template})


def pod(app: str, created: str, **rest: Any) -> dict[str, Any]:
    metadata = {"namespace": NAMESPACE, "labels": {"app": app}, "creationTimestamp": created}
    return {"metadata": {**metadata, **rest.pop("metadata", {})}, **rest}


DB = holder("db")
OTHER = holder("other", secret="other-tls")
GRAPH = Graph([DB, OTHER])


def test_who_mounts_a_secret_uses_it_and_a_job_is_not_rolled() -> None:
    graph = Graph([DB, OTHER, holder("web", "Deployment"), holder("agent", "DaemonSet"), holder("once", "Job")])
    assert set(users(graph, [TLS])) == {"db", "web", "agent"}


def test_only_a_renewed_secret_has_a_time() -> None:
    def secret(name: str, **annotations: str) -> dict[str, Any]:
        return {"metadata": {"namespace": NAMESPACE, "name": name, "annotations": annotations or None}}

    found = renewals([secret("db-tls", **{"bakery-ia.dev/renewed-at": AT}), secret("never"), {"metadata": None}])
    assert found == {TLS: AT}


def test_a_pod_older_than_the_renewal_is_behind_and_a_younger_one_is_not() -> None:
    assert behind(GRAPH, [pod("db", BEFORE), pod("other", BEFORE)], {TLS: AT}) == {"db": AT}
    assert behind(GRAPH, [pod("db", AT)], {TLS: AT}) == {}
    assert behind(GRAPH, [pod("db", AFTER)], {TLS: AT}) == {}


def test_one_old_pod_of_several_is_enough() -> None:
    assert behind(GRAPH, [pod("db", AFTER), pod("db", BEFORE)], {TLS: AT}) == {"db": AT}


def test_pods_that_are_ending_or_over_hold_nobody_back() -> None:
    ending = pod("db", BEFORE, metadata={"deletionTimestamp": AT})
    over = pod("db", BEFORE, status={"phase": "Failed"})
    assert behind(GRAPH, [ending, over], {TLS: AT}) == {}


def test_a_pod_of_that_label_in_another_namespace_is_somebody_elses() -> None:
    assert behind(GRAPH, [pod("db", BEFORE, metadata={"namespace": "elsewhere"})], {TLS: AT}) == {}


def cluster() -> FakeCluster:
    made = FakeCluster()
    carrier = Carrier(made, made.clock)
    for name, step in plan(GRAPH, {}).steps.items():
        carrier.apply(GRAPH[name], step, None)
    return made


def test_what_the_render_would_change_besides_is_left_as_it_is() -> None:
    changed = Graph([holder("db", secret="db-tls"), holder("other", secret="changed-tls")])
    live = cluster().bodies()
    decided = only_restarts(plan(changed, live), changed, {"db": AT})
    assert {name: (step.action, step.restart) for name, step in decided.steps.items()} == {
        "db": (Action.APPLY, AT),
        "other": (Action.DONE, ""),
    }
    assert decided.orphans == ()


def restarted(made: FakeCluster) -> Any:
    step = only_restarts(plan(GRAPH, made.bodies()), GRAPH, {"db": AT}).steps["db"]
    return Carrier(made, made.clock).apply(DB, step, None)


def test_the_restart_changes_the_pod_template_and_nothing_else() -> None:
    made = cluster()
    before = made.body(DB.ref)
    restarted(made)
    after = made.body(DB.ref)
    assert noted(after) == AT
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
    note = after["spec"]["template"]["metadata"].pop("annotations")
    assert (note, after["spec"]) == ({"bakery-ia.dev/renewed-at": AT}, before["spec"])


def test_a_deploy_of_the_render_leaves_the_note_alone_and_has_nothing_to_do() -> None:
    made = cluster()
    restarted(made)
    assert plan(GRAPH, made.bodies()).is_empty
    Carrier(made, made.clock).apply(DB, plan(GRAPH, {}).steps["db"], None)
    assert noted(made.body(DB.ref)) == AT


def test_the_same_restart_again_is_none() -> None:
    made = cluster()
    restarted(made)
    generation = made.body(DB.ref)["metadata"]["generation"]
    restarted(made)
    assert made.body(DB.ref)["metadata"]["generation"] == generation


def test_a_successor_of_the_workload_is_not_touched() -> None:
    made = cluster()
    step = only_restarts(plan(GRAPH, made.bodies()), GRAPH, {"db": AT}).steps["db"]
    made.vanish(DB.ref)
    Carrier(made, made.clock).apply(DB, plan(GRAPH, {}).steps["db"], None)
    told = Carrier(made, made.clock).apply(DB, step, None)
    assert type(told).__name__ == "ApplyRejected"
    assert noted(made.body(DB.ref)) == ""


def test_the_note_belongs_to_a_manager_of_its_own() -> None:
    made = cluster()
    restarted(made)
    owners = {entry["manager"] for entry in made.bodies()[DB.ref]["metadata"]["managedFields"]}
    assert RESTART_MANAGER in owners
    assert set(restart(DB.manifest, AT, "u").body) == {"apiVersion", "kind", "metadata", "spec"}
