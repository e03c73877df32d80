"""How the machine sees: what marks a node, what it rereads, what survives a snapshot."""

from __future__ import annotations

from typing import Any

from bakery_ops.model.contract import Stage
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Action
from bakery_ops.rules.rollout.events import ObjectChanged, ObjectDeleted, Outcome, ReadObjects, Synced
from bakery_ops.rules.rollout.judging import observe
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.view import view
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import Table, looks, node


def pod(name: str, owner: str, **metadata: Any) -> Any:
    references = [{"uid": owner, "kind": "x", "name": "x"}]
    whole = {"name": name, "namespace": "bakery-ia", "uid": f"uid-{name}", "ownerReferences": references, **metadata}
    return live_object({"apiVersion": "v1", "kind": "Pod", "metadata": whole})


def noting_judgements(table: Table) -> list[str]:
    """The names of the nodes that are judged from now on, as they are."""
    judged: list[str] = []
    real = table.rollout.judge

    def noting(observation: Any, memory: Any) -> Any:
        judged.append(observation.node.name)
        return real(observation, memory)

    table.rollout.judge = noting
    return judged


def test_objects_that_are_not_ours_cost_no_judgement() -> None:
    table = Table(node("web"))
    table.start("web", "progressing")
    judged = noting_judgements(table)
    table.tell(ObjectChanged(table.now, pod("stranger", "elsewhere")))
    assert judged == []
    table.tell(ObjectChanged(table.now, pod("web-x", "uid-web")))
    assert judged == ["web"]


def test_a_pod_event_is_part_of_what_its_workload_shows() -> None:
    table = Table(node("web"))
    table.start("web", "progressing")
    table.tell(ObjectChanged(table.now, pod("web-x", "uid-web")))
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "bakery-ia", "uid": "ev"},
        "involvedObject": {"uid": "uid-web-x"}, "reason": "FailedMount", "lastTimestamp": "2033-11-14T22:13:25Z",
    }  # fmt: skip
    table.tell(ObjectChanged(table.now, live_object(event)))
    seen = observe(table.rollout, table.rollout.nodes["web"])
    assert [item.reason for item in seen.events] == ["FailedMount"]
    assert [item.metadata.name for item in seen.children] == ["web-x"]


def test_a_service_sees_its_slices_and_the_workload_behind_it() -> None:
    table = Table(node("web"), node("service/web", "Service", relies=["web"]))
    table.start("web", "ready")
    table.accept("service/web", verdict="progressing")
    labels = {"kubernetes.io/service-name": "web"}
    metadata = {"name": "web-1", "namespace": "bakery-ia", "uid": "s", "labels": labels}
    slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    table.tell(ObjectChanged(table.now, live_object(slices)))
    related = observe(table.rollout, table.rollout.nodes["service/web"]).related
    assert [item.kind for item in related] == ["Deployment", "EndpointSlice"]


def test_a_service_that_loses_a_slice_to_another_is_judged_anew() -> None:
    table = Table(node("web"), node("service/web", "Service", relies=["web"]))
    table.start("web", "ready")
    table.start("service/web", "ready")
    judged = noting_judgements(table)
    for version, service in (("1", "web"), ("2", "other")):
        labels = {"kubernetes.io/service-name": service}
        metadata = {"name": "x", "namespace": "bakery-ia", "uid": "s", "labels": labels, "resourceVersion": version}
        slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
        judged.clear()
        table.tell(ObjectChanged(table.now, live_object(slices)))
        assert "service/web" in judged


def test_a_kind_without_a_stream_is_read_again_ever_more_rarely_while_it_is_not_ready() -> None:
    table = Table(node("ingress/web", "Ingress", Stage.EDGE))
    table.accept("ingress/web", verdict="progressing")
    reads = [command for command in table.wait(100) if isinstance(command, ReadObjects)]
    assert 6 <= len(reads) <= 12
    table.see("ingress/web", "ready")
    assert not [command for command in table.wait(60) if isinstance(command, ReadObjects)]


def test_all_that_are_not_ready_of_one_kind_are_read_in_one_request() -> None:
    routes = [node(f"ingress/{name}", "Ingress", Stage.EDGE) for name in ("a", "b", "c")]
    table = Table(*routes, node("budget", "PodDisruptionBudget", Stage.EDGE))
    for name in ("ingress/a", "ingress/b", "ingress/c", "budget"):
        table.accept(name, verdict="progressing")
    reads = [command.nodes for command in table.wait(3) if isinstance(command, ReadObjects)]
    assert sorted(set(reads)) == [("budget",), ("ingress/a", "ingress/b", "ingress/c")]
    assert len(reads) <= 4


def test_a_service_behind_a_workload_that_is_not_ready_is_not_read_again() -> None:
    table = Table(node("web"), node("service/web", "Service", relies=["web"]))
    table.start("web", "progressing")
    table.accept("service/web", verdict="progressing")
    assert table.verdict("service/web") is Verdict.BLOCKED
    assert not [command for command in table.wait(60) if isinstance(command, ReadObjects)]


def test_a_snapshot_object_that_the_first_list_does_not_confirm_is_gone() -> None:
    web = node("web")
    table = Table(
        web, node("late", needs=["web"]), actions={"web": Action.SKIP}, snapshot=[looks(web, "progressing")], synced=()
    )
    assert table.rollout.world.of(web.ref) is not None
    table.tell(*(Synced(table.now, kind) for kind in STREAMED_KINDS))
    assert table.rollout.world.of(web.ref) is None
    assert table.rollout.nodes["web"].message == "not seen yet"


def test_a_deleted_object_is_judged_anew() -> None:
    table = Table(node("web"), options=Options(no_progress=1000))
    table.start("web", "ready")
    table.tell(ObjectDeleted(table.now, table.graph["web"].ref, "uid-web"))
    assert table.verdict("web") is Verdict.PROGRESSING
    assert table.rollout.outcome is None


def test_a_read_that_found_nothing_deletes_what_was_known_by_name() -> None:
    table = Table(node("ingress/web", "Ingress", Stage.EDGE))
    table.accept("ingress/web", verdict="progressing")
    table.tell(ObjectDeleted(table.now, ObjectRef("networking.k8s.io", "Ingress", "bakery-ia", "web"), ""))
    assert table.rollout.world.of(table.graph["ingress/web"].ref) is None


def test_the_view_counts_workloads_per_stage_and_says_whom_a_node_waits_for() -> None:
    table = Table(
        node("db", "StatefulSet", Stage.DATABASE),
        node("web", needs=["db"]),
        node("service/web", "Service", relies=["web"]),
        node("configmap/app", "ConfigMap", Stage.FOUNDATION),
    )
    table.start("db", "progressing", message="0/1 ready")
    shown = view(table.rollout)
    assert shown.nodes["web"].waiting_for == ("db",)
    assert shown.nodes["db"].message == "0/1 ready"
    assert {stage.stage: (stage.ready, stage.total) for stage in shown.stages} == {
        Stage.FOUNDATION: (0, 1),
        Stage.DATABASE: (0, 1),
        Stage.MICROSERVICE: (0, 1),
    }
    assert shown.causes == ()
    table.see("db", "failed", reason="R", message="m")
    assert [cause.sentence for cause in view(table.rollout).causes] == ["db is down: R: m; blocks 1 service"]
    assert view(table.rollout).outcome in (None, Outcome.FAILED)
