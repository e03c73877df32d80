"""Each command of the rollout machine, carried out against every answer a server may give."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.errors import OperationFailed
from bakery_ops.model.answer import Answer
from bakery_ops.model.content import content_hash, stamped
from bakery_ops.model.contract import Stage
from bakery_ops.model.live import Generic, PersistentVolumeClaim
from bakery_ops.rules.plan import Action, Step
from bakery_ops.rules.rollout.events import (
    ApplyAccepted,
    ApplyDropped,
    ApplyRejected,
    FetchLog,
    LogTailArrived,
    ObjectChanged,
    ObjectDeleted,
    Prune,
    Pruned,
)
from bakery_ops.workflows.rollout_requests import JOB_GONE_WITHIN, Carrier, Carrying, live_object, refusal
from tests.fakes import FakeCluster, unreachable
from tests.rollouts import node

WEB = node("web")
JOB = node("seed", "Job", Stage.SEED, spec={"template": {"spec": {}}})
REFUSED = Answer(403, {}, "Forbidden", "no")


def step(item: Any, cluster: FakeCluster | None = None) -> Step:
    uid = cluster.body(item.ref)["metadata"]["uid"] if cluster and item.ref in cluster.stored else ""
    return Step(item.name, Action.APPLY, "test", content_hash(item.manifest), uid)


def ready(*items: Any, **carrying: Any) -> tuple[FakeCluster, Carrier]:
    cluster = FakeCluster()
    for item in items:
        cluster.apply(stamped(item.manifest, content_hash(item.manifest)))
    cluster.mutations.clear()
    return cluster, Carrier(cluster, cluster.clock, Carrying(**carrying))


def test_a_created_object_is_new_and_a_repeated_apply_changes_nothing() -> None:
    cluster, carrier = ready()
    first = carrier.apply(WEB, step(WEB), None)
    assert isinstance(first, ApplyAccepted)
    assert first.applied.created
    assert first.applied.changed
    again = carrier.apply(WEB, step(WEB), cluster.live(WEB.ref))
    assert isinstance(again, ApplyAccepted)
    assert (again.applied.created, again.applied.changed) == (False, False)


def test_a_changed_spec_counts_as_new_because_old_conditions_are_not_its_own() -> None:
    cluster, carrier = ready(WEB)
    other = node("web", spec={"replicas": 3})
    event = carrier.apply(other, step(other), cluster.live(WEB.ref))
    assert isinstance(event, ApplyAccepted)
    assert event.applied.created
    assert event.applied.generation == 2


def test_the_time_of_an_apply_is_before_anything_it_caused() -> None:
    cluster, carrier = ready()
    before = cluster.clock.now()
    real = cluster.apply

    def slow(*arguments: Any, **more: Any) -> Answer:
        cluster.clock.sleep(5)
        return real(*arguments, **more)

    cluster.apply = slow  # type: ignore[method-assign] # a server that takes its time
    event = carrier.apply(WEB, step(WEB), None)
    assert isinstance(event, ApplyAccepted)
    assert event.applied.at == before


def test_a_conflict_names_every_field_and_its_manager() -> None:
    """Faults F12."""
    cluster, carrier = ready(WEB)
    cluster.change(WEB.ref, lambda body: body["spec"].update(replicas=7), "kubectl-scale")
    other = node("web", spec={"replicas": 2})
    event = carrier.apply(other, step(other), None)
    assert isinstance(event, ApplyRejected)
    assert event.reason == "FieldConflict"
    assert event.message == 'other managers own fields we set: spec.replicas (conflict with "kubectl-scale")'
    assert cluster.mutations == []


def test_force_takes_the_field_over() -> None:
    cluster, carrier = ready(WEB, force=True)
    cluster.change(WEB.ref, lambda body: body["spec"].update(replicas=7), "kubectl-scale")
    other = node("web", spec={"replicas": 2})
    assert isinstance(carrier.apply(other, step(other), None), ApplyAccepted)
    assert cluster.body(WEB.ref)["spec"]["replicas"] == 2


def test_behind_a_closed_gate_nothing_is_sent() -> None:
    cluster, carrier = ready(JOB, may_write=lambda: False)
    assert isinstance(carrier.apply(WEB, step(WEB), None), ApplyDropped)
    assert isinstance(carrier.replace_job(JOB, step(JOB, cluster)), ApplyDropped)
    assert carrier.prune(Prune(JOB.ref, "u")) == Pruned(
        cluster.clock.now(), JOB.ref, "Stopped", "writing was stopped before"
    )
    carrier.suspend(JOB, step(JOB), "u")
    assert cluster.mutations == []


@pytest.mark.parametrize(
    ("found", "unknown"),
    [(Answer(404, {}), False), (Answer(503, {}), True)],
)
def test_after_a_server_error_the_object_itself_decides(found: Answer, unknown: bool) -> None:
    """Faults F8 and F9."""
    cluster, carrier = ready()
    cluster.fail("apply", WEB.ref, Answer(500, {}, "InternalError", "tired"))
    cluster.fail("read", WEB.ref, found)
    event = carrier.apply(WEB, step(WEB), None)
    assert isinstance(event, ApplyRejected)
    assert event.unknown is unknown


def test_after_a_server_error_an_object_with_another_hash_was_not_written() -> None:
    cluster, carrier = ready(WEB)
    other = node("web", spec={"replicas": 2})
    cluster.fail("apply", WEB.ref, Answer(500, {}, "InternalError", "tired"))
    event = carrier.apply(other, step(other), None)
    assert isinstance(event, ApplyRejected)
    assert not event.unknown


def test_after_a_server_error_an_object_of_an_earlier_run_was_not_written() -> None:
    """It drifted, so its hash is that of the repair, which never came."""
    cluster, carrier = ready(WEB, fence=7)
    cluster.fail("apply", WEB.ref, Answer(500, {}, "InternalError", "tired"))
    event = carrier.apply(WEB, step(WEB), cluster.live(WEB.ref))
    assert isinstance(event, ApplyRejected)
    assert not event.unknown


def test_a_job_is_deleted_by_uid_and_created_anew() -> None:
    cluster, carrier = ready(JOB)
    before = step(JOB, cluster)
    event = carrier.replace_job(JOB, before)
    assert isinstance(event, ApplyAccepted)
    assert event.applied.uid != before.uid
    assert [verb for verb, _ in cluster.mutations] == ["delete", "apply"]


def test_nobody_waits_for_a_job_to_be_gone_once_writing_has_stopped() -> None:
    cluster, carrier = ready(JOB, may_write=lambda: cluster.clock.now() < began + 2.0)
    cluster.change(JOB.ref, lambda body: body["metadata"].update(finalizers=["hold"]))
    began = cluster.clock.now()
    assert isinstance(carrier.replace_job(JOB, step(JOB, cluster)), ApplyDropped)
    assert cluster.clock.now() < began + 3.0


def test_a_job_that_somebody_replaced_meanwhile_is_not_deleted() -> None:
    cluster, carrier = ready(JOB)
    event = carrier.replace_job(JOB, step(JOB)._replace(uid="another"))
    assert [verb for verb, _ in cluster.mutations] == ["apply"]
    assert isinstance(event, ApplyAccepted)


def test_a_job_that_may_not_be_deleted_is_rejected() -> None:
    cluster, carrier = ready(JOB)
    cluster.fail("delete", JOB.ref, REFUSED)
    event = carrier.replace_job(JOB, step(JOB, cluster))
    assert isinstance(event, ApplyRejected)
    assert event.reason == "Forbidden"


def test_a_job_that_does_not_go_is_given_up_after_its_time() -> None:
    cluster, carrier = ready(JOB)
    cluster.fail("delete", JOB.ref, Answer(200, {}))
    began = cluster.clock.now()
    event = carrier.replace_job(JOB, step(JOB, cluster))
    assert isinstance(event, ApplyRejected)
    assert event.reason == "StillTerminating"
    assert JOB_GONE_WITHIN <= cluster.clock.now() - began < JOB_GONE_WITHIN + 1


@pytest.mark.parametrize(("error", "unknown"), [(unreachable(), True), (OperationFailed("etcd is full"), False)])
def test_a_replacement_that_fails_on_the_way_says_whether_its_outcome_is_known(error: Exception, unknown: bool) -> None:
    cluster, carrier = ready(JOB)
    cluster.fail("delete", JOB.ref, error)
    event = carrier.replace_job(JOB, step(JOB, cluster))
    assert isinstance(event, ApplyRejected)
    assert event.unknown is unknown


def test_a_suspended_job_keeps_its_hash_and_one_of_another_uid_is_left_alone() -> None:
    cluster, carrier = ready(JOB)
    carrier.suspend(JOB, step(JOB), "another")
    assert "suspend" not in cluster.body(JOB.ref)["spec"]
    carrier.suspend(JOB, step(JOB), cluster.body(JOB.ref)["metadata"]["uid"])
    assert cluster.body(JOB.ref)["spec"]["suspend"] is True
    cluster.fail("apply", JOB.ref, unreachable())
    carrier.suspend(JOB, step(JOB), "u")


def test_pruning_is_done_when_the_object_is_gone_and_says_why_when_it_is_not() -> None:
    cluster, carrier = ready(WEB)
    uid = cluster.body(WEB.ref)["metadata"]["uid"]
    at = cluster.clock.now()
    assert carrier.prune(Prune(WEB.ref, "another")).reason == "Conflict"  # type: ignore[union-attr, attr-defined]
    assert carrier.prune(Prune(WEB.ref, uid)) == Pruned(at, WEB.ref)
    assert carrier.prune(Prune(WEB.ref, uid)) == Pruned(at, WEB.ref), "gone already is gone"
    cluster.fail("delete", WEB.ref, REFUSED, unreachable())
    assert carrier.prune(Prune(WEB.ref, uid)) == Pruned(at, WEB.ref, "Forbidden", "no")
    assert carrier.prune(Prune(WEB.ref, uid)).reason == "Unreachable"  # type: ignore[union-attr, attr-defined]


def test_a_read_tells_what_is_there_what_is_gone_and_nothing_when_it_does_not_know() -> None:
    cluster, carrier = ready(WEB)
    assert [type(event) for event in carrier.read([WEB])] == [ObjectChanged]
    assert [type(event) for event in carrier.read([JOB])] == [ObjectDeleted]
    cluster.fail("read", WEB.ref, REFUSED, unreachable())
    assert carrier.read([WEB]) == ()
    assert carrier.read([WEB]) == ()


def test_several_objects_of_a_kind_are_read_with_one_list() -> None:
    cluster, carrier = ready(WEB)
    gone = node("gone")
    before = len(cluster.calls)
    told = carrier.read([WEB, gone])
    assert [type(event) for event in told] == [ObjectChanged, ObjectDeleted]
    assert told[1].ref == gone.ref  # type: ignore[attr-defined]
    assert cluster.calls[before:] == [("list", None)]


def test_a_log_that_cannot_be_read_is_empty() -> None:
    cluster, carrier = ready()
    cluster.log_lines["seed-x", "app", True] = ["one", "two"]
    event = carrier.fetch_log(FetchLog("seed", "n", "seed-x", "app", True))
    assert event == LogTailArrived(cluster.clock.now(), "seed", "pod/seed-x", "app", True, ("one", "two"))

    def fail(*where: Any, **how: Any) -> Any:
        raise unreachable()

    cluster.logs = fail  # type: ignore[method-assign] # a server that is away
    assert carrier.fetch_log(FetchLog("seed", "n", "seed-x", "app", True)).lines == ()  # type: ignore[attr-defined]


def test_an_odd_object_is_generic_and_not_an_error() -> None:
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"}, "spec": {"volumeName": 7}}
    assert isinstance(live_object(body), Generic)
    assert isinstance(live_object({**body, "spec": {}}), PersistentVolumeClaim)


def test_a_refusal_without_words_still_says_something() -> None:
    assert refusal(Answer(422, {})) == ("HTTP 422", "refused without a message")


def test_the_diff_behind_a_refused_change_of_a_pod_is_left_out() -> None:
    message = 'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields\n@@ -101,7 +101,7 @@\n "Env": ['
    expected = 'Pod "p" is invalid: spec: Forbidden: pod updates may not change fields'
    assert refusal(Answer(422, {}, "Invalid", message)) == ("Invalid", expected)


def test_a_deleted_object_that_its_finalizer_holds_is_waited_for_and_then_told() -> None:
    cluster, carrier = ready(WEB, JOB)
    began = cluster.clock.now()
    cluster.change(WEB.ref, lambda body: body["metadata"].update(finalizers=["example.com/never"]))
    told = carrier.prune(Prune(WEB.ref, cluster.body(WEB.ref)["metadata"]["uid"]))
    assert isinstance(told, Pruned)
    assert (told.reason, told.holder) == ("", "waits for its finalizers example.com/never")
    waited = cluster.clock.now()
    assert 30 <= waited - began < 31
    cluster.change(JOB.ref, lambda body: body["metadata"].update(finalizers=["example.com/other"]))
    told = carrier.prune(Prune(JOB.ref, cluster.body(JOB.ref)["metadata"]["uid"]))
    assert isinstance(told, Pruned)
    assert "example.com/other" in told.holder
    assert cluster.clock.now() == waited, "all orphans together have one time"
