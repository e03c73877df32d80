"""How a rollout ends: fail modes, interrupts, a lost lease, unknown outcomes, pruning, evidence."""

from __future__ import annotations

import pytest

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Node
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.rules.plan import Action, PruneStep
from bakery_ops.rules.rollout.events import (
    Apply,
    ApplyDropped,
    ApplyRejected,
    Command,
    FetchLog,
    Finish,
    InterruptRequested,
    LeaseLost,
    LogTailArrived,
    ObjectChanged,
    ObjectDeleted,
    Outcome,
    Prune,
    Pruned,
    ReadObjects,
    StreamLost,
    SuspendJob,
    TimePassed,
    WriteJournal,
)
from bakery_ops.rules.rollout.options import STREAMED_KINDS, FailMode, Options
from bakery_ops.rules.rollout.result import STALE, Status, result
from bakery_ops.workflows.rollout_requests import live_object
from tests.rollouts import NAMESPACE, START, Table, looks, names, node


def test_settle_ends_ten_seconds_after_the_first_failure() -> None:
    table = Table(node("a"), node("b"))
    table.start("a", "failed")
    table.start("b", "progressing")
    table.wait(9.9)
    assert table.rollout.outcome is None
    table.wait(0.2)
    assert table.rollout.outcome is Outcome.FAILED


def test_settle_reports_a_second_cause_that_shows_in_time() -> None:
    table = Table(node("a"), node("b"))
    table.start("a", "failed", reason="First")
    table.start("b", "progressing")
    table.wait(5)
    table.see("b", "failed", reason="Second")
    table.wait(10)
    assert [cause.reason for cause in result(table.rollout).causes] == ["First", "Second"]


def test_settle_does_not_wait_when_nothing_more_can_be_learnt() -> None:
    table = Table(node("redis", stage=Stage.INFRASTRUCTURE), *(node(f"s{i}", needs=["redis"]) for i in range(3)))
    table.start("redis", "failed")
    assert table.rollout.outcome is Outcome.FAILED
    assert table.rollout.ended == START


def test_a_failure_that_heals_in_the_settle_window_is_no_failure() -> None:
    table = Table(node("a"), node("b"))
    table.start("a", "failed")
    table.start("b", "progressing")
    table.wait(5)
    table.see("a", "ready")
    table.see("b", "ready")
    table.wait(20)
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_fast_ends_at_the_first_failure() -> None:
    table = Table(node("a"), node("b"), options=Options(fail_mode=FailMode.FAST))
    table.accept("b")
    table.start("a", "failed")
    assert table.rollout.outcome is Outcome.FAILED


def test_never_follows_every_other_node_to_its_own_end() -> None:
    table = Table(node("a"), node("b"), node("behind-a", needs=["a"]), options=Options(fail_mode=FailMode.NEVER))
    table.start("a", "failed")
    table.start("b", "progressing", progress=1)
    table.wait(100)
    assert table.rollout.outcome is None
    table.see("b", "ready")
    assert table.rollout.outcome is Outcome.FAILED
    assert result(table.rollout).nodes["behind-a"].status is Status.SKIPPED


def test_a_rejected_apply_is_a_failure_with_the_servers_words() -> None:
    table = Table(node("a"), node("b", needs=["a"]))
    table.reject("a", "Invalid", "spec.replicas: must be positive")
    ended = result(table.rollout)
    assert ended.outcome is Outcome.FAILED
    assert ended.nodes["a"].status is Status.FAILED
    assert ended.nodes["b"].status is Status.SKIPPED
    assert [cause.sentence for cause in ended.causes] == [
        "a is down: Invalid: spec.replicas: must be positive; blocks 1 service"
    ]


def test_all_rejections_of_a_stage_are_collected() -> None:
    table = Table(*(node(f"configmap/c{i}", "ConfigMap", Stage.FOUNDATION) for i in range(5)), node("web"))
    for index in range(5):
        if index in (1, 3):
            table.reject(f"configmap/c{index}")
        else:
            table.start(f"configmap/c{index}")
    table.start("web")
    assert {cause.node for cause in result(table.rollout).causes} == {"configmap/c1", "configmap/c3"}


def test_an_unknown_outcome_is_reported_as_unknown_and_never_as_success() -> None:
    table = Table(node("a"), node("b"))
    table.start("b", "ready")
    table.reject("a", "Unreachable", "the API server did not answer", unknown=True)
    table.wait(30)
    ended = result(table.rollout)
    assert ended.outcome is Outcome.UNREACHABLE
    assert ended.nodes["a"].status is Status.UNKNOWN


def test_an_interrupt_stops_issuing_and_waits_for_the_answers_under_way() -> None:
    table = Table(node("a"), node("b"), node("c", needs=["a"]))
    assert names(table.tell(InterruptRequested(table.now))) == []
    table.accept("a", verdict="ready")
    assert table.rollout.outcome is None
    table.tell(ApplyDropped(table.now, "b"))
    ended = result(table.rollout)
    assert ended.outcome is Outcome.INTERRUPTED
    assert {name: item.status for name, item in ended.nodes.items()} == {
        "a": Status.APPLIED,
        "b": Status.SKIPPED,
        "c": Status.SKIPPED,
    }
    assert table.sent == ["a", "b"]


def test_an_answer_that_never_comes_after_an_interrupt_is_unknown() -> None:
    table = Table(node("a"))
    table.tell(InterruptRequested(table.now))
    table.wait(11)
    assert result(table.rollout).nodes["a"].status is Status.UNKNOWN
    assert table.rollout.outcome is Outcome.INTERRUPTED


def test_a_lost_lease_stops_all_writes_even_of_the_journal() -> None:
    table = Table(node("db", "StatefulSet", Stage.DATABASE), node("web", needs=["db"]), node("seed", "Job", Stage.SEED))
    table.accept("db")
    table.tell(LeaseLost(table.now, "somebody"))
    after = table.see("db", "ready") + table.accept("seed", verdict="failed") + table.wait(60)
    assert not [command for command in after if isinstance(command, Apply | WriteJournal | SuspendJob | Prune)]
    assert table.rollout.outcome is Outcome.LOCK_LOST


def test_a_deadline_that_passes_over_a_silent_server_names_the_server_and_no_workload() -> None:
    """F2: what was seen last may have been true minutes ago."""
    table = Table(node("db", "StatefulSet", Stage.DATABASE), node("cache", "StatefulSet", Stage.DATABASE))
    table.accept("db")
    table.accept("cache")
    table.tell(*(StreamLost(table.now, kind) for kind in STREAMED_KINDS))
    table.wait(700)
    ended = result(table.rollout)
    assert (ended.outcome, ended.causes) == (Outcome.UNREACHABLE, ())
    assert ended.warnings == (STALE,)


HOME = ObjectRef("", "Namespace", "", NAMESPACE)


def home() -> Node:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return Node(str(HOME), Manifest(HOME, "v1", body, "test"), Stage.FOUNDATION)


def a_table_in_a_namespace() -> Table:
    """Two databases run in it, and a service waits for them."""
    name = str(HOME)
    databases = [node(each, "StatefulSet", Stage.DATABASE, needs=[name]) for each in ("db", "cache")]
    table = Table(home(), *databases, node("web", needs=[name, "db"]))
    table.start(name, "ready")
    table.start("db", "ready")
    table.accept("cache")
    table.accept("web")
    return table


def deleted(table: Table, *names: str) -> list[Command]:
    return table.tell(*(ObjectDeleted(table.now, table.graph[name].ref, f"uid-{name}") for name in names))


def its_only_cause(table: Table) -> tuple[str, str, int]:
    (cause,) = result(table.rollout).causes
    return cause.node, cause.reason, len(cause.blocked)


def test_a_deleted_namespace_is_the_one_cause_of_all_that_disappears() -> None:
    table = a_table_in_a_namespace()
    assert deleted(table, "db", "cache").count(ReadObjects((str(HOME),))) == 1
    table.see(str(HOME), "failed", reason="Terminating")
    assert table.rollout.outcome is Outcome.FAILED
    assert its_only_cause(table) == (str(HOME), "Terminating", 3)


def test_a_deleted_namespace_is_the_cause_of_what_it_refuses() -> None:
    table = a_table_in_a_namespace()
    refused = ApplyRejected(table.now, "web", "NamespaceTerminating", "forbidden: it is being terminated")
    assert ReadObjects((str(HOME),)) in table.tell(refused)
    table.see(str(HOME), "failed", reason="Terminating")
    assert its_only_cause(table) == (str(HOME), "Terminating", 3)


def test_a_lock_that_went_with_its_namespace_was_taken_by_nobody() -> None:
    table = a_table_in_a_namespace()
    assert ReadObjects((str(HOME),)) in table.tell(LeaseLost(table.now, ""))
    table.see(str(HOME), "failed", reason="Terminating")
    assert table.rollout.outcome is Outcome.FAILED
    assert its_only_cause(table) == (str(HOME), "Terminating", 3)


def test_a_lock_that_was_freed_by_somebody_is_lost_when_the_namespace_stands_or_does_not_answer() -> None:
    for answered in (True, False):
        table = a_table_in_a_namespace()
        table.tell(LeaseLost(table.now, ""))
        assert table.rollout.outcome is None
        if answered:
            table.see(str(HOME), "ready")
        else:
            table.wait(4)
        assert table.rollout.outcome is Outcome.LOCK_LOST


def test_after_the_end_events_change_nothing() -> None:
    table = Table(node("a"))
    table.start("a", "ready")
    table.wait(20)
    assert table.see("a", "failed") == []
    assert table.tell(TimePassed(table.now + 1000)) == []
    assert table.rollout.outcome is Outcome.SUCCEEDED


def test_orphans_are_deleted_only_after_everything_is_ready_and_stable() -> None:
    orphan = PruneStep(ObjectRef("apps", "Deployment", "bakery-ia", "old"), "u1")
    kept = PruneStep(ObjectRef("", "PersistentVolumeClaim", "bakery-ia", "data"), "u2", "a claim stays")
    table = Table(node("a"), prune=[orphan, kept])
    table.start("a", "ready")
    assert not [command for command in table.commands if isinstance(command, Prune)]
    table.wait(11)
    assert [command for command in table.commands if isinstance(command, Prune)] == [Prune(orphan.ref, "u1")]
    assert table.rollout.outcome is None
    table.tell(Pruned(table.now, orphan.ref))
    assert table.rollout.outcome is Outcome.SUCCEEDED
    assert any("a claim stays" in warning for warning in result(table.rollout).warnings)


def test_nothing_is_pruned_after_a_failure() -> None:
    table = Table(node("a"), prune=[PruneStep(ObjectRef("", "Service", "bakery-ia", "old"), "u1")])
    table.start("a", "failed")
    table.wait(60)
    assert not [command for command in table.commands if isinstance(command, Prune)]


def test_a_refused_prune_fails_the_rollout() -> None:
    ref = ObjectRef("", "Service", "bakery-ia", "old")
    table = Table(node("a"), prune=[PruneStep(ref, "u1")])
    table.start("a", "ready")
    table.wait(11)
    table.tell(Pruned(table.now, ref, "Forbidden", "no"))
    assert table.rollout.outcome is Outcome.FAILED


def test_a_failed_job_that_has_not_ended_in_the_cluster_is_suspended() -> None:
    """Faults F35: its image may still appear after failure was reported."""
    table = Table(node("seed", "Job", Stage.SEED))
    table.start("seed", "failed", uid="u7")
    assert SuspendJob("seed", "u7") in table.commands
    assert isinstance(table.commands[-1], Finish)


def test_a_failed_job_that_has_a_running_container_is_left_alone() -> None:
    table = Table(node("seed", "Job", Stage.SEED))
    table.accept("seed", uid="u7")
    table.tell(ObjectChanged(table.now, _pod("seed-x", "u7", {"running": {}})))
    table.see("seed", "failed", uid="u7")
    table.wait(60)
    assert not [command for command in table.commands if isinstance(command, SuspendJob)]


def test_logs_of_failing_containers_are_fetched_once_and_waited_for() -> None:
    table = Table(node("seed", "Job", Stage.SEED))
    table.accept("seed", uid="u7")
    table.tell(ObjectChanged(table.now, _pod("seed-x", "u7", {"terminated": {"exitCode": 3}})))
    table.see("seed", "failed", uid="u7")
    table.see("seed", "failed", uid="u7", message="again")
    assert [command for command in table.commands if isinstance(command, FetchLog)] == [
        FetchLog("seed", "bakery-ia", "seed-x", "app", False)
    ]
    assert table.rollout.outcome is None
    table.tell(LogTailArrived(table.now, "seed", "pod/seed-x", "app", False, ("ValueError: no",)))
    ended = result(table.rollout)
    assert ended.outcome is Outcome.FAILED
    assert ended.logs_of(ended.causes[0])[0].lines == ("ValueError: no",)


def test_logs_that_never_come_do_not_hold_the_verdict_back() -> None:
    table = Table(node("seed", "Job", Stage.SEED))
    table.accept("seed", uid="u7")
    table.tell(ObjectChanged(table.now, _pod("seed-x", "u7", {"terminated": {"exitCode": 3}})))
    table.see("seed", "failed", uid="u7")
    table.wait(3.1)
    assert table.rollout.outcome is Outcome.FAILED


def test_a_completed_job_is_journalled_and_an_unchanged_deployment_is_not() -> None:
    web = node("web")
    table = Table(web, node("seed", "Job", Stage.SEED), actions={"web": Action.SKIP}, snapshot=[looks(web, "ready")])
    table.start("seed", "ready", uid="u7")
    written = [command for command in table.commands if isinstance(command, WriteJournal)]
    assert [(command.node, command.verdict, command.uid) for command in written] == [("seed", "ready", "u7")]


def test_a_result_needs_an_end() -> None:
    with pytest.raises(ValueError, match="not finished"):
        result(Table(node("a")).rollout)


def _pod(name: str, owner: str, state: dict[str, object]) -> object:
    return live_object(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "bakery-ia",
                "uid": f"uid-{name}",
                "ownerReferences": [{"kind": "Job", "name": "seed", "uid": owner}],
            },
            "status": {"containerStatuses": [{"name": "app", "state": state}]},
        }
    )


def test_an_interrupt_after_a_lost_lease_changes_nothing() -> None:
    table = Table(node("a"))
    table.tell(LeaseLost(table.now, "somebody"), InterruptRequested(table.now))
    table.accept("a")
    assert table.rollout.outcome is Outcome.LOCK_LOST


def test_a_deletion_of_an_orphan_that_is_never_answered_leaves_the_outcome_unknown() -> None:
    table = Table(node("a"), prune=[PruneStep(ObjectRef("", "Service", "bakery-ia", "old"), "u1")])
    table.start("a", "ready")
    table.wait(140)
    assert table.rollout.outcome is Outcome.UNREACHABLE


def test_the_result_counts_and_times_what_happened() -> None:
    table = Table(node("a"), node("b", needs=["a"]))
    table.start("a", "ready")
    table.wait(3)
    table.start("b", "progressing")
    table.wait(4)
    table.see("b", "ready", warnings=["no address yet"])
    table.wait(11)
    ended = result(table.rollout, requests=7)
    assert (ended.count(Status.APPLIED), ended.requests) == (2, 7)
    assert (ended.nodes["a"].ready_after, ended.nodes["b"].ready_after) == (0.0, 7.0)
    assert ended.stages[0].wall == 7.0
    assert ended.warnings == ("b: no address yet",)
    assert ended.seconds == 17.0


def test_what_never_became_ready_has_no_time() -> None:
    table = Table(node("a"), node("b", needs=["a"]))
    table.start("a", "failed")
    ended = result(table.rollout)
    assert ended.nodes["a"].ready_after is None
    assert ended.stages[0].wall is None
    assert ended.events_of(ended.causes[0]) == ()


def test_nodes_that_wait_for_a_slot_are_told_by_those_that_hold_them() -> None:
    table = Table(node("a"), node("b"), node("c"), options=Options(width=1, stage_deadline=100))
    table.start("a", "progressing", message="0/1 ready")
    table.wait(101)
    assert [cause.sentence for cause in result(table.rollout).causes] == [
        "a is not ready yet: 0/1 ready; blocks 2 services"
    ]


def test_beside_a_failure_a_wait_for_a_slot_blames_nobody() -> None:
    table = Table(node("a"), node("b"), node("c"), node("d"), options=Options(width=2))
    table.start("a", "failing", reason="Error", message="exit code 1")
    table.start("b", "failed", reason="R", message="m")
    table.wait(45)
    assert [cause.sentence for cause in result(table.rollout).causes] == [
        "a is failing: Error: exit code 1",
        "b is down: R: m",
    ]


def test_a_service_whose_workload_was_never_sent_warns_of_nothing() -> None:
    table = Table(
        node("db", stage=Stage.DATABASE), node("web", needs=["db"]), node("service/web", "Service", relies=["web"])
    )
    table.start("service/web", "ready", warnings=["nobody is behind it"])
    table.start("db", "failed")
    assert result(table.rollout).warnings == ()
