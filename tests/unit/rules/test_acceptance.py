"""The acceptance contract: what each check calls a success, a failure, or not its business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from bakery_ops.model.content import content_hash, stamped
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import Pod
from bakery_ops.model.live.pods import PodStatus
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import without_values
from bakery_ops.model.secrets import Purpose, SecretRow, SecretState
from bakery_ops.rules.acceptance import CHECKS, CheckResult, CheckState, Facts, HttpAnswer, evaluate, may_heal, passed
from bakery_ops.rules.verdict import Evidence, EvidenceClass, Judgement, Verdict
from bakery_ops.workflows.rollout_requests import live_object
from tests.fakes import FakeCluster
from tests.rollouts import NAMESPACE, node

READY = Judgement(Verdict.READY)
WEB, SEED = node("web"), node("seed", "Job", Stage.SEED)
CLAIM = {"metadata": {"name": "data"}, "spec": {}}
DATABASE = node("db", "StatefulSet", Stage.DATABASE, spec={"replicas": 2, "volumeClaimTemplates": [CLAIM]})


def facts(*nodes: Node, **known: Any) -> Facts:
    graph = Graph(nodes)
    given: dict[str, Any] = {"judgements": dict.fromkeys(graph, READY), "pods": (), "health": {}, "edge": None}
    return Facts(graph=graph, **{**given, **known})


def result(name: str, seen: Facts) -> CheckResult:
    return evaluate(seen, [name])[0]


def applied(*nodes: Node) -> FakeCluster:
    cluster = FakeCluster()
    for item in nodes:
        cluster.apply(stamped(item.manifest, content_hash(item.manifest)))
    return cluster


def claim(ordinal: int, phase: str) -> tuple[ObjectRef, Mapping[str, Any]]:
    return ObjectRef("", "PersistentVolumeClaim", NAMESPACE, f"data-db-{ordinal}"), {"status": {"phase": phase}}


def pod(**container: Any) -> Pod:
    status = {"containerStatuses": [{"name": "app", "image": "i", "imageID": "", "ready": True, **container}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "uid": "u"}, "spec": {}, "status": status}
    live = live_object(body)
    assert isinstance(live, Pod)
    return live


def test_only_failures_fail_the_contract() -> None:
    states = [CheckResult("x", state, "") for state in CheckState]
    assert not passed(states)
    assert passed([one for one in states if one.state is not CheckState.FAILED])


def test_what_is_not_ready_is_named_with_its_evidence() -> None:
    evidence = Evidence(EvidenceClass.PERMANENT, "Error", "exit 1", "pod/web", since=0.0, fails_at=0.0)
    down = Judgement(Verdict.FAILED, "down", evidence=(evidence,))
    found = result("workloads-ready", facts(WEB, SEED, judgements={"web": down, "seed": READY}))
    assert (found.state, found.evidence) == (CheckState.FAILED, ("web: Error: exit 1",))
    assert result("jobs-complete", facts(WEB, SEED)).message == "1 of 1 Jobs complete"


def test_a_statefulset_s_volumes_count_one_a_template_and_replica() -> None:
    both = dict([claim(0, "Bound"), claim(1, "Bound")])
    assert result("volumes-bound", facts(DATABASE, objects=both)).message == "2 of 2 volume claims bound"
    one = result("volumes-bound", facts(DATABASE, objects=dict([claim(0, "Bound"), claim(1, "Pending")])))
    assert (one.state, one.evidence) == (CheckState.FAILED, ("persistentvolumeclaim/data-db-1: Pending",))
    none = result("volumes-bound", facts(DATABASE))
    assert (none.state, len(none.evidence)) == (CheckState.FAILED, 2)
    assert result("volumes-bound", facts(WEB)).state is CheckState.SKIPPED


def test_a_claim_that_waits_for_its_first_pod_is_no_failure_and_is_counted() -> None:
    scratch = node("persistentvolumeclaim/data-db-7", "PersistentVolumeClaim", Stage.FOUNDATION)
    pending = dict([claim(7, "Pending")])
    found = result("volumes-bound", facts(scratch, objects=pending))
    assert (found.state, found.message) == (
        CheckState.PASSED,
        "0 of 1 volume claims bound; 1 wait for their first pod",
    )
    stuck = facts(scratch, objects=pending, judgements={scratch.name: Judgement(Verdict.PROGRESSING)})
    assert result("volumes-bound", stuck).state is CheckState.FAILED


def test_an_evicted_pod_warns_with_what_the_kubelet_said() -> None:
    away = pod()
    away = msgspec.structs.replace(
        away, status=PodStatus(phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "x" exceeds it.')
    )
    found = result("no-oom-kills", facts(WEB, pods=[away]))
    assert (found.state, found.message) == (CheckState.WARNING, "evicted: 1 pod")
    assert 'Evicted: Usage of EmptyDir volume "x"' in found.evidence[0]


def test_an_oom_kill_fails_and_a_restart_warns() -> None:
    killed = {"lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "restartCount": 1}
    assert result("no-oom-kills", facts(WEB, pods=[pod(**killed)])).state is CheckState.FAILED
    assert result("no-oom-kills", facts(WEB, pods=[pod(restartCount=1)])).state is CheckState.WARNING
    assert result("no-oom-kills", facts(WEB, pods=[pod(restartCount=0)])).state is CheckState.PASSED


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (HttpAnswer(200, "ok", 0.02), CheckState.PASSED),
        (HttpAnswer(200, "ok", 0.25), CheckState.FAILED),
        (HttpAnswer(503, '{"database": "down"}', 0.02), CheckState.FAILED),
        (HttpAnswer(0, "refused", 0.0), CheckState.FAILED),
    ],
)
def test_a_service_has_to_answer_200_within_200_ms(answer: HttpAnswer, state: CheckState) -> None:
    assert result("health", facts(WEB, health={"web": answer})).state is state


def test_where_nothing_can_answer_the_probes_are_skipped_and_say_so() -> None:
    for name in ("health", "frontend"):
        assert result(name, facts(WEB, simulated=True)).state is CheckState.SKIPPED


def test_the_frontend_is_a_page_not_just_an_answer() -> None:
    page, text = HttpAnswer(200, "<!doctype html><html>", 0.1), HttpAnswer(200, "ok", 0.1)
    assert result("frontend", facts(WEB, edge=page)).state is CheckState.PASSED
    assert result("frontend", facts(WEB, edge=text)).state is CheckState.FAILED


def test_what_was_applied_and_left_alone_has_not_drifted() -> None:
    cluster = applied(WEB)
    found = result("nothing-drifted", facts(WEB, objects=cluster.bodies()))
    assert (found.state, found.message) == (CheckState.PASSED, "1 objects are as they were applied")


def test_a_field_somebody_took_is_drift_and_named() -> None:
    cluster = applied(WEB)
    cluster.change(WEB.ref, lambda body: body["spec"].update(replicas=5), "kubectl-edit")
    found = result("nothing-drifted", facts(WEB, objects=cluster.bodies()))
    assert (found.state, found.evidence) == (
        CheckState.FAILED,
        ("deployment/web: spec.replicas changed by kubectl-edit",),
    )


def test_an_object_somebody_removed_is_drift_but_a_finished_job_may_go() -> None:
    service = node("service/web", "Service", Stage.FOUNDATION)
    found = result("nothing-drifted", facts(service, SEED, WEB, objects=applied(WEB).bodies()))
    assert (found.state, found.evidence) == (CheckState.FAILED, ("service/web: is missing",))


def test_newer_manifests_wait_for_a_deploy_and_are_no_failure() -> None:
    cluster = applied(WEB)
    found = result("nothing-drifted", facts(node("web", spec={"replicas": 4}), objects=cluster.bodies()))
    assert found.state is CheckState.WARNING


def test_a_recorded_secret_without_its_values_is_no_newer_manifest() -> None:
    """A rollback compares with what was recorded, and leaves the Secret in the cluster as it is."""
    ref = ObjectRef("", "Secret", NAMESPACE, "creds")
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "creds", "namespace": NAMESPACE},
        "stringData": {"password": "x"},
    }
    brought = Manifest(ref, "v1", body, "test")
    secret, kept = (Node("secret/creds", each, Stage.FOUNDATION) for each in (brought, without_values(brought)))
    found = result("nothing-drifted", facts(kept, objects=applied(secret).bodies()))
    assert found.state is CheckState.PASSED


def test_only_what_may_come_back_by_itself_is_waited_for() -> None:
    missing = facts(node("service/web", "Service", Stage.FOUNDATION), objects={})
    down = facts(WEB, objects=applied(WEB).bodies(), judgements={"web": Judgement(Verdict.PROGRESSING)})
    assert [may_heal(evaluate(seen, ["nothing-drifted", "workloads-ready"])) for seen in (missing, down)] == [
        False,
        True,
    ]


def test_what_another_tool_applied_is_not_ours_to_compare() -> None:
    cluster = FakeCluster()
    cluster.put(dict(WEB.manifest.body), manager="skaffold")
    assert result("nothing-drifted", facts(WEB, objects=cluster.bodies())).state is CheckState.SKIPPED


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (SecretState.PRESENT, CheckState.PASSED),
        (SecretState.WARNING, CheckState.WARNING),
        (SecretState.WRONG, CheckState.FAILED),
        (SecretState.MISSING, CheckState.FAILED),
    ],
)
def test_a_missing_or_wrong_certificate_fails(state: SecretState, outcome: CheckState) -> None:
    row = SecretRow("redis-tls", next(iter(Purpose)), state, ("expires soon",))
    found = result("credentials-valid", facts(WEB, credentials=[row]))
    assert (found.state, bool(found.evidence)) == (outcome, outcome is not CheckState.PASSED)


def test_a_check_that_was_not_made_says_so() -> None:
    assert result("credentials-valid", facts(WEB)).state is CheckState.SKIPPED
    assert [one.name for one in evaluate(facts(WEB))] == list(CHECKS)
