"""Every failure of docs/readiness.md on the whole platform: one sentence, the right exit code, in time; then mended.

One cluster, three namespaces. Each faulty deploy also mends the fault before it, so every recovery is seen as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import pytest

from bakery_ops.rules import evidence as rows
from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.sizes import NodeSize
from tests.clusters import started
from tests.commands import kubectl
from tests.manifests.rendered import K8S, Rendered, render
from tests.simulated.faults import FAULTS, Ended, Fault, blocked_by, held, patch
from tests.simulated.lanes import Lane, Step, run

pytestmark = pytest.mark.timeout(600)

SLACK = 1.0
"""Beyond the hold time, in seconds: what the product may take to see the evidence and to end."""

NO_PROGRESS = 125.0
_QUIET = {"BAKERY_NO_PROGRESS": f"{NO_PROGRESS:.0f}s"}
_TRIAL = "bakery-ia.dev/trial"

REDIS = Fault(
    "redis without its Secret",
    "redis",
    'CreateContainerConfigError: secret "redis-acl" not found',
    held(rows.CONFIG_MISSING),
    "missing-secret",
    {"simulate-missing": "redis-acl"},
)
REDIS_IMAGE = Fault(
    "redis without its image", "redis", "ErrImagePull: .*: not found", held(rows.IMAGE_MISSING), "image-not-found"
)
DATABASE = Fault(
    "tenant-db without its Secret",
    "tenant-db",
    'CreateContainerConfigError: secret "missing" not found',
    held(rows.CONFIG_MISSING),
    "missing-secret",
)
MIGRATION = Fault(
    "migration fails",
    "auth-migration",
    r"BackoffLimitExceeded: container migrate ended with exit code 1 \(Job has reached .* limit\)",
    held(rows.JOB_FAILED),
    "job-failed",
    spec={"backoffLimit": 0},
)
QUOTA = Fault(
    "quota is full",
    "forecasting-service",
    r'FailedCreate: pods "forecasting-service-.*" is forbidden: exceeded quota: trial, .*limited: pods=1',
    held(rows.CREATE_REFUSED),
    more={"trial": "new pods are needed"},
)
NOWHERE = Fault(
    "no cluster node fits any more",
    "procurement-service",
    r"Unschedulable: 0/4 nodes are available: 4 node\(s\) didn't match Pod's node affinity/selector",
    held(rows.UNSCHEDULABLE_EVER),
    spec={"template": {"spec": {"nodeSelector": {_TRIAL: "yes"}}}},
)
SLOW = (
    Fault(
        "registry answers 503",
        "demo-session-service",
        r"ErrImagePull: rpc error: code = Unknown .*: unexpected status: 503 Service Unavailable",
        held(rows.IMAGE_TROUBLE),
        "registry-5xx",
    ),
    Fault(
        "never ready",
        "notification-service",
        r"NoProgress: 0/1 available; app is running, not ready.*, and nothing moved for 125 s",
        0.0,
        "never-ready",
    ),
    Fault(
        "init container never ends",
        "alert-processor-service",
        "NoProgress: wait-for-rabbitmq still running although rabbitmq is Ready",
        0.0,
        "init-stuck",
    ),
)
_HURRIED = patch(
    "auth-service",
    {
        "progressDeadlineSeconds": 5,
        "template": {"metadata": {"annotations": {"bakery-ia.dev/simulate": "missing-secret"}}},
    },
)


def one(fault: Fault) -> Step:
    return lambda lane: lane.deploy(fault.patch)


def healthy(lane: Lane) -> Ended:
    return lane.deploy(fail_mode="settle")


def after_its_pod_is_gone(lane: Lane) -> Ended:
    lane.kubectl("delete", "pod", "redis-0")
    return healthy(lane)


def two_causes(lane: Lane) -> Ended:
    return lane.deploy(REDIS_IMAGE.patch, DATABASE.patch, fail_mode="settle")


def migration(lane: Lane) -> Ended:
    lane.kubectl("delete", "statefulset", "redis", "tenant-db")
    return lane.deploy(MIGRATION.patch)


def quota(lane: Lane) -> Ended:
    """The quota comes after the preflight, which would have refused."""

    def limit() -> None:
        lane.kubectl("create", "quota", "trial", "--hard=pods=1")
        lane.kubectl("wait", "quota", "trial", "--for=jsonpath={.status.hard.pods}=1")

    try:
        return lane.deploy(QUOTA.patch, once_planned=limit)
    finally:
        lane.kubectl("delete", "quota", "trial")


def nowhere(lane: Lane) -> Ended:
    """The cluster node that the pod wants is there when capacity is proved, and no longer when the pod comes."""
    lane.kubectl("label", "node", "simulated-1", f"{_TRIAL}=yes")
    return lane.deploy(NOWHERE.patch, once_planned=lambda: lane.kubectl("label", "node", "simulated-1", f"{_TRIAL}-"))


def slow(lane: Lane) -> Ended:
    return lane.deploy(*(fault.patch for fault in SLOW), fail_mode="never", env=_QUIET)


def paused(lane: Lane) -> Ended:
    return lane.deploy(patch("sales-service", {"paused": True}), env={"BAKERY_NO_PROGRESS": "15s"})


def hurried(lane: Lane) -> Ended:
    return lane.deploy(_HURRIED, resources=[_settings("before")])


def only_settings(lane: Lane) -> Ended:
    """The Deployment is as before, with the failure of the last deploy still in its conditions; its pod heals."""
    heal = ["annotate", "pods", "--selector", "app.kubernetes.io/name=auth", "bakery-ia.dev/simulate-"]
    return lane.deploy(_HURRIED, resources=[_settings("after")], once_planned=lambda: lane.kubectl(*heal))


def long_job(lane: Lane) -> Ended:
    annotations = {"bakery-ia.dev/simulate-run-time": "8s"}
    return lane.deploy(patch("demo-seed-users", {"template": {"metadata": {"annotations": annotations}}}))


def _settings(value: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "trial"}, "data": {"value": value}}


PLANS: tuple[Mapping[str, Step], ...] = (
    {
        REDIS.name: one(REDIS),
        "old pod in the way": healthy,
        "old pod deleted": after_its_pod_is_gone,
        **{fault.name: one(fault) for fault in FAULTS[:3]},
        QUOTA.name: quota,
        **{fault.name: one(fault) for fault in FAULTS[3:5]},
        "healthy at last, 1": healthy,
    },
    {
        "two causes": two_causes,
        MIGRATION.name: migration,
        "healthy at first": healthy,
        **{fault.name: one(fault) for fault in FAULTS[5:]},
        NOWHERE.name: nowhere,
        "long Job": long_job,
        "paused": paused,
        "healthy at last, 2": healthy,
    },
    {
        "slow": slow,
        "hurried": hurried,
        "only settings": only_settings,
        "healthy at last, 3": healthy,
    },
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[lifecycle.SandboxStatus]:
    """Room for three platforms."""
    size = NodeSize(8000, 20 * 2**30)
    with started("simulated", [size] * 4, "faults") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def outcomes(cluster: lifecycle.SandboxStatus, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Future[Ended]]:
    folder = tmp_path_factory.mktemp("faults")
    return run((Lane(cluster, f"faults-{n}", folder / str(n)), plan) for n, plan in enumerate(PLANS, start=1))


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return render(K8S / "overlays" / "sandbox", "sandbox")


def assert_only_cause(fault: Fault, ended: Ended, *, blocks: str = "") -> None:
    assert (ended.code, len(ended.sentences)) == (3, 1), (ended.sentences, ended.progress)
    assert fault.matches(ended.sentences[0], blocks), ended.sentences
    assert ended.nodes("failed") == {fault.node}
    assert ended.nodes("failing") == set()
    assert fault.verdict_after - SLACK <= ended.seconds_to_verdict(fault.node) <= fault.verdict_after + SLACK


@pytest.mark.parametrize("fault", [*FAULTS, QUOTA, NOWHERE], ids=lambda fault: fault.name)
def test_a_fault_is_the_one_cause_in_time_and_nothing_else_fails(fault, outcomes):
    ended = outcomes[fault.name].result()
    assert_only_cause(fault, ended)


@pytest.mark.parametrize("fault", [REDIS, MIGRATION], ids=lambda fault: fault.name)
def test_on_a_fresh_cluster_the_sentence_counts_what_waits(fault, outcomes, rendered):
    ended = outcomes[fault.name].result()
    expected = blocked_by(rendered, fault.node)
    assert expected
    assert_only_cause(fault, ended, blocks=expected)
    assert set(ended.report["causes"][0]["blocks"]) <= ended.nodes("blocked")


def test_two_independent_causes_are_two_sentences(outcomes, rendered):
    ended = outcomes["two causes"].result()
    assert ended.code == 3, ended.progress
    first, second = ended.sentences
    assert REDIS_IMAGE.matches(first, blocked_by(rendered, "redis")), first
    assert DATABASE.matches(second, blocked_by(rendered, "tenant-db")), second


def test_a_mended_template_alone_does_not_free_an_ordered_stateful_set(outcomes):
    ended = outcomes["old pod in the way"].result()
    assert (ended.code, ended.nodes("failed")) == (3, {"redis"}), ended.sentences
    advice = (
        "redis is down: CreateContainerConfigError: redis-0 of the old revision blocks the update; delete that pod ("
    )
    assert [sentence.startswith(advice) for sentence in ended.sentences] == [True], ended.sentences


@pytest.mark.parametrize(
    "name", ["old pod deleted", "healthy at first", "healthy at last, 1", "healthy at last, 2", "healthy at last, 3"]
)
def test_a_deploy_without_the_fault_heals_everything(name, outcomes):
    ended = outcomes[name].result()
    assert (ended.code, ended.sentences) == (0, []), ended.progress
    assert {node["verdict"] for node in ended.report["nodes"]} == {"ready"}


@pytest.mark.parametrize("fault", SLOW, ids=lambda fault: fault.name)
def test_what_only_a_timer_can_tell_is_told_beside_other_failures(fault, outcomes, rendered):
    ended = outcomes["slow"].result()
    assert (ended.code, len(ended.sentences)) == (3, len(SLOW)), ended.sentences
    blocks = blocked_by(rendered, fault.node)
    assert [sentence for sentence in ended.sentences if fault.matches(sentence, blocks)], ended.sentences
    assert ended.nodes("failed") == {each.node for each in SLOW}
    assert fault.verdict_after - SLACK <= ended.seconds_to_verdict(fault.node) <= fault.verdict_after + SLACK


def test_a_failed_job_is_a_verdict_without_a_hold_time(outcomes):
    """That it comes within a second of the Job's own condition is measured in tests/e2e/test_faults.py."""
    assert outcomes[MIGRATION.name].result().seconds_to_verdict(MIGRATION.node) <= SLACK


def test_a_paused_deployment_is_held_and_never_a_success(outcomes):
    ended = outcomes["paused"].result()
    assert ended.code == 3
    assert [sentence.partition(":")[0] for sentence in ended.sentences] == ["sales-service is held"]


def test_a_job_that_runs_is_not_yet_a_success(outcomes):
    ended = outcomes["long Job"].result()
    job = next(node for node in ended.report["nodes"] if node["name"] == "demo-seed-users")
    assert (ended.code, job["status"], job["readyAfter"] >= 8) == (0, "applied", True), job


def test_the_failure_of_an_earlier_deploy_does_not_fail_the_one_that_mends_it(outcomes):
    before, after = outcomes["hurried"].result(), outcomes["only settings"].result()
    assert before.code == 3
    assert [change["node"] for change in after.report["changes"]] == ["configmap/trial"]
    assert (after.code, after.sentences) == (0, []), after.progress


def test_a_request_above_every_cluster_node_is_refused_before_the_first_write(cluster, tmp_path):
    resources = {"requests": {"memory": "64Gi"}, "limits": {"memory": "64Gi"}}
    fault = patch("auth-service", {"template": {"spec": {"containers": [{"name": "app", "resources": resources}]}}})
    ended = Lane(cluster, "faults-too-big", tmp_path).deploy(fault)
    assert (ended.code, "auth-service" in ended.progress) == (4, True), ended.progress
    assert "faults-too-big" not in kubectl(cluster.kubeconfig, "get", "namespaces")


def test_a_secret_that_nobody_makes_is_bad_input_and_nothing_is_contacted(cluster, tmp_path):
    entry = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "nobody-makes-me", "key": "key"}}}
    fault = patch("auth-service", {"template": {"spec": {"containers": [{"name": "app", "env": [entry]}]}}})
    ended = Lane(cluster, "faults-no-secret", tmp_path).deploy(fault)
    assert (ended.code, "nobody-makes-me" in ended.progress) == (64, True), ended.progress
    assert "faults-no-secret" not in kubectl(cluster.kubeconfig, "get", "namespaces")


def test_a_quota_that_is_too_small_is_refused_before_the_first_write(cluster, tmp_path):
    hard = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "trial"}, "spec": {"hard": {"pods": "1"}}}
    ended = Lane(cluster, "faults-quota", tmp_path).deploy(resources=[hard])
    assert (ended.code, "quota trial: pods 1" in ended.progress) == (4, True), ended.progress
    assert "faults-quota" not in kubectl(cluster.kubeconfig, "get", "namespaces")
