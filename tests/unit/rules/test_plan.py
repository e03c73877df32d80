"""What a deploy decides for each object before the first write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from bakery_ops.errors import TargetRefused
from bakery_ops.model.content import content_hash, stamped
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Action, JournalEntry, Step, plan
from tests.fakes import FakeCluster
from tests.rollouts import node

CONDITION = {"Complete": {"type": "Complete", "status": "True"}, "Failed": {"type": "Failed", "status": "True"}}


def cluster_with(*nodes: Node) -> FakeCluster:
    """A cluster to which these nodes were applied as we apply them."""
    cluster = FakeCluster()
    for item in nodes:
        cluster.apply(stamped(item.manifest, content_hash(item.manifest), fence=1))
    return cluster


def step_of(item: Node, cluster: FakeCluster, **more: Any) -> Step:
    return plan(Graph([item]), cluster.bodies(), **more).steps[item.name]


def job(version: int = 1, **spec: Any) -> Node:
    return node("seed", "Job", Stage.SEED, spec={"template": {"spec": {"version": version}}, **spec})


def finished(kind: str, item: Node | None = None) -> FakeCluster:
    cluster = cluster_with(item or job())
    cluster.set_status(job().ref, conditions=[CONDITION[kind]])
    return cluster


def test_an_absent_object_is_applied() -> None:
    assert step_of(node("web"), FakeCluster())[1:3] == (Action.APPLY, "not in the cluster")


def test_an_unchanged_object_is_skipped() -> None:
    assert step_of(node("web"), cluster_with(node("web"))).action is Action.SKIP


def test_changed_content_is_applied() -> None:
    cluster = cluster_with(node("web", spec={"replicas": 1}))
    assert step_of(node("web", spec={"replicas": 2}), cluster)[1:3] == (Action.APPLY, "content changed")


def test_a_field_of_ours_that_somebody_changed_is_applied_and_names_them() -> None:
    cluster = cluster_with(node("web"))
    cluster.change(node("web").ref, lambda body: body["spec"].update(replicas=5), "kubectl-scale")
    assert step_of(node("web"), cluster)[1:3] == (Action.APPLY, "spec.replicas changed by kubectl-scale")


def test_fields_that_others_add_are_none_of_our_business() -> None:
    cluster = cluster_with(node("web"))
    cluster.change(node("web").ref, lambda body: body["spec"].update(revisionHistoryLimit=10), "defaulter")
    cluster.change(node("web").ref, lambda body: body["metadata"].update(labels={"theirs": "x"}), "somebody")
    assert step_of(node("web"), cluster).action is Action.SKIP


def test_an_object_we_never_applied_is_applied() -> None:
    cluster = FakeCluster()
    cluster.put(node("web").manifest.body, "kubectl-create")
    assert step_of(node("web"), cluster)[1:3] == (Action.APPLY, "not applied by us before")


def test_an_object_that_is_being_deleted_is_applied_anew() -> None:
    cluster = cluster_with(node("web"))
    cluster.change(node("web").ref, lambda body: body["metadata"].update(deletionTimestamp="2024-01-01T00:00:00Z"))
    assert step_of(node("web"), cluster).reason == "is being deleted"


def test_a_completed_unchanged_job_is_not_run_again() -> None:
    assert step_of(job(), finished("Complete")).action is Action.SKIP


def test_a_completed_job_with_other_content_is_replaced_by_its_uid() -> None:
    cluster = finished("Complete")
    step = step_of(job(2), cluster)
    assert step[1:3] == (Action.REPLACE_JOB, "content changed")
    assert step.uid == cluster.body(job().ref)["metadata"]["uid"]


def test_a_failed_job_is_run_again_although_nothing_changed() -> None:
    assert step_of(job(), finished("Failed"))[1:3] == (Action.REPLACE_JOB, "failed before")


def test_a_running_unchanged_job_is_watched() -> None:
    cluster = cluster_with(job())
    cluster.set_status(job().ref, active=1)
    assert step_of(job(), cluster).action is Action.SKIP


def test_an_unfinished_job_with_other_content_is_replaced_and_says_so() -> None:
    assert step_of(job(2), cluster_with(job()))[1:3] == (
        Action.REPLACE_JOB,
        "content changed while it was unfinished",
    )


def test_a_job_we_suspended_after_a_failure_is_run_again() -> None:
    cluster = cluster_with(job())
    cluster.change(job().ref, lambda body: body["spec"].update(suspend=True), "bakery-ops")
    assert step_of(job(), cluster).action is Action.REPLACE_JOB


def test_a_job_that_is_meant_to_be_suspended_is_left_so() -> None:
    cluster = cluster_with(job(suspend=True))
    assert step_of(job(suspend=True), cluster).action is Action.SKIP


def test_a_completed_job_is_not_run_again_for_an_edited_label() -> None:
    cluster = finished("Complete")
    cluster.change(job().ref, lambda body: body["spec"].update(parallelism=3), "kubectl-edit")
    assert step_of(job(), cluster).action is Action.SKIP


def test_a_job_the_journal_knows_is_done_when_it_is_gone() -> None:
    journal = {"seed": JournalEntry(content_hash(job().manifest), "u", "ready", 0.0)}
    assert step_of(job(), FakeCluster(), journal=journal).action is Action.DONE
    assert step_of(job(2), FakeCluster(), journal=journal).action is Action.APPLY
    assert (
        step_of(job(), FakeCluster(), journal={"seed": journal["seed"]._replace(verdict="failed")}).action
        is Action.APPLY
    )


def test_a_job_asked_for_runs_whatever_the_journal_says() -> None:
    journal = {"seed": JournalEntry(content_hash(job().manifest), "u", "ready", 0.0)}
    assert step_of(job(), FakeCluster(), journal=journal, rerun=["seed"]).action is Action.APPLY
    assert step_of(job(), finished("Complete"), journal=journal, rerun=["seed"])[1:3] == (
        Action.REPLACE_JOB,
        "asked for",
    )


def test_a_job_asked_for_that_runs_already_is_waited_for_and_not_killed() -> None:
    running = finished("Complete")
    running.set_status(job().ref, conditions=[], active=1)
    assert step_of(job(), running, rerun=["seed"]).action is Action.SKIP


def test_only_jobs_are_done_by_the_journal() -> None:
    journal = {"web": JournalEntry(content_hash(node("web").manifest), "u", "ready", 0.0)}
    assert step_of(node("web"), FakeCluster(), journal=journal).action is Action.APPLY


def test_only_writes_what_was_selected_and_watches_what_that_needs() -> None:
    graph = Graph([node("db", stage=Stage.DATABASE), node("web", needs=["db"]), node("other")])
    decided = plan(graph, {}, only=["web"])
    assert {name: step.action for name, step in decided.steps.items()} == {
        "db": Action.SKIP,
        "web": Action.APPLY,
        "other": Action.DONE,
    }


PVC = ObjectRef("", "PersistentVolumeClaim", "bakery-ia", "data")
INVENTORY = [node(f"s{index}").ref for index in range(10)]


def shrunk(live: Mapping[ObjectRef, Any], lost: list[ObjectRef], **more: Any) -> Any:
    """The plan of ten services whose inventory also holds `lost`."""
    graph = Graph(node(f"s{index}") for index in range(10))
    return plan(graph, live, inventory=[*INVENTORY, *lost], **more)


def test_what_left_the_render_is_pruned_by_uid() -> None:
    old = node("old")
    cluster = cluster_with(old)
    (step,) = shrunk(cluster.bodies(), [old.ref]).prune
    assert (step.ref, step.uid) == (old.ref, cluster.body(old.ref)["metadata"]["uid"])


def test_an_orphan_that_is_gone_already_is_not_deleted() -> None:
    assert shrunk({}, [node("old").ref]).orphans == ()


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "PersistentVolume", "Namespace", "Secret"])
def test_data_is_never_pruned_without_its_flag(kind: str) -> None:
    """Promise I2."""
    orphan = node(f"{kind.lower()}/data", kind)
    cluster = cluster_with(orphan)
    decided = shrunk(cluster.bodies(), [orphan.ref])
    assert decided.prune == ()
    assert kind in decided.orphans[0].kept
    assert [step.ref for step in shrunk(cluster.bodies(), [orphan.ref], prune_kinds=[kind]).prune] == [orphan.ref]


def test_an_object_of_that_name_that_we_did_not_write_is_not_pruned() -> None:
    cluster = FakeCluster()
    cluster.put(node("old").manifest.body, "somebody")
    assert shrunk(cluster.bodies(), [node("old").ref]).orphans[0].kept == "not written by us"


def test_more_than_a_fifth_of_the_inventory_is_never_pruned_unasked() -> None:
    """Bad input B63."""
    old = [node(f"old{index}") for index in range(3)]
    live = cluster_with(*old).bodies()
    with pytest.raises(TargetRefused, match="lost 3 of 13 objects"):
        shrunk(live, [item.ref for item in old])
    assert len(shrunk(live, [item.ref for item in old], allow_mass_prune=True).prune) == 3
    assert len(shrunk(live, [item.ref for item in old[:2]]).prune) == 2


def test_an_empty_render_is_refused_whatever_was_allowed() -> None:
    """Bad input B6."""
    with pytest.raises(TargetRefused, match="empty"):
        plan(Graph([]), cluster_with(node("old")).bodies(), inventory=[node("old").ref], allow_mass_prune=True)


def test_a_selection_prunes_nothing() -> None:
    """Bad input B62: a filter and pruning together would delete the rest."""
    old = node("old")
    graph = Graph([node("web")])
    assert plan(graph, cluster_with(old).bodies(), inventory=[old.ref], only=["web"]).orphans == ()


def test_pruning_can_be_off() -> None:
    old = node("old")
    assert shrunk(cluster_with(old).bodies(), [old.ref], prune=False).prune == ()


def test_what_was_asked_for_is_deleted_and_created_anew_when_it_changed() -> None:
    """B17"""
    cluster = cluster_with(node("web", spec={"selector": "old"}))
    changed = step_of(node("web", spec={"selector": "new"}), cluster, recreate=["web"])
    assert (changed.action, changed.reason) == (Action.RECREATE, "content changed")
    assert changed.uid == cluster.body(node("web").ref)["metadata"]["uid"]
    assert step_of(node("web", spec={"selector": "old"}), cluster, recreate=["web"]).action is Action.SKIP
    assert step_of(node("web"), FakeCluster(), recreate=["web"]).action is Action.APPLY


@pytest.mark.parametrize("kind", ["PersistentVolumeClaim", "Namespace", "Secret"])
def test_data_is_never_recreated(kind: str) -> None:
    """I2"""
    item = node("data", kind)
    with pytest.raises(TargetRefused, match=f"never deletes a {kind}"):
        step_of(item, cluster_with(item), recreate=["data"])


def test_a_secret_that_we_generate_is_no_orphan() -> None:
    container = {"name": "c", "envFrom": [{"secretRef": {"name": "app-secrets"}}]}
    web = node("web", spec={"template": {"spec": {"containers": [container]}}})
    web.manifest.body["metadata"]["labels"] = {"app.kubernetes.io/part-of": "bakery-ia"}
    secret = ObjectRef("", "Secret", web.ref.namespace, "app-secrets")
    live = {secret: {"metadata": {"uid": "u", "name": "app-secrets"}}}
    assert plan(Graph([web]), live, inventory=[secret]).orphans == ()
    assert [orphan.ref for orphan in plan(Graph([node("web")]), live, inventory=[secret]).orphans] == [secret]


def test_a_claim_of_a_statefulset_of_the_render_is_no_orphan() -> None:
    """A destroy that left the data wrote it into the inventory; the next deploy finds it again."""
    database = node("db", "StatefulSet", spec={"volumeClaimTemplates": [{"metadata": {"name": "data"}}]})
    names = ("data-db-0", "data-db-7", "data-db-backup", "data-x-0", "data-db")
    refs = [ObjectRef("", "PersistentVolumeClaim", database.ref.namespace, name) for name in names]
    live = {ref: {"metadata": {"uid": "u", "name": ref.name}} for ref in refs}
    orphans = plan(Graph([database]), live, inventory=refs).orphans
    assert [orphan.ref.name for orphan in orphans] == ["data-db", "data-db-backup", "data-x-0"]


def test_an_empty_plan_says_so() -> None:
    web = node("web")
    assert plan(Graph([web]), cluster_with(web).bodies()).is_empty
    assert not plan(Graph([web]), {}).is_empty
