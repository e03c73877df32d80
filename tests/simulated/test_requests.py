"""What a deploy costs the API server, as it counts itself: a request per kind to see that nothing is to be done, two
writes an object to bring it up, and little else."""

from __future__ import annotations

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, invoke, kubectl, objects
from tests.proxy import FaultProxy, upstream_of

NAMESPACE = "bakery-ia"
UNCHANGED = 15  # requests, verification included
OVERHEAD = 100  # requests of a fresh deploy that do not depend on the number of objects: lists, watches, records
BY_TIME = ("lease", "journal", "watch")  # once a second, or once per quiet stream


@pytest.fixture(scope="module")
def fresh(simulated_cluster: SandboxStatus) -> dict:
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait")
    code, report = deploy_document("--context", simulated_cluster.context)
    assert (code, report["outcome"]) == (0, "succeeded")
    return report


def test_a_fresh_deploy_asks_and_writes_once_per_object(fresh, simulated_cluster):
    kinds = fresh["requestsByKind"]
    count, secrets = len(fresh["nodes"]), len(objects(simulated_cluster.kubeconfig, ("secrets",), NAMESPACE))
    assert kinds["dry-run"] == count
    assert kinds["apply"] <= count + secrets + 2
    rest = {kind: number for kind, number in kinds.items() if kind not in (*BY_TIME, "dry-run", "apply")}
    assert sum(rest.values()) <= OVERHEAD, rest
    assert sum(kinds.values()) == fresh["requests"]


def test_a_deploy_of_the_same_takes_a_request_per_kind_and_writes_nothing(fresh, simulated_cluster):
    code, report = deploy_document("--context", simulated_cluster.context)
    assert (code, report["changes"]) == (0, [])
    assert report["requests"] <= UNCHANGED, report["requestsByKind"]
    assert set(report["requestsByKind"]) == {"get", "list"}
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert states["workloads-ready"] == states["jobs-complete"] == states["nothing-drifted"] == "passed"
    assert states["health"] == "skipped"


def test_what_the_run_says_it_sent_is_what_the_server_got(fresh, simulated_cluster, tmp_path):
    with FaultProxy(upstream_of(simulated_cluster.kubeconfig, simulated_cluster.kubeconfig.parent / "pki")) as proxy:
        kubeconfig = proxy.write_kubeconfig(tmp_path / "kubeconfig")
        code, report = deploy_document("--context", simulated_cluster.context, "--kubeconfig", str(kubeconfig))
        assert (code, report["requests"]) == (0, proxy.calls)


def test_a_change_of_one_object_sends_the_deploy_the_long_way_and_writes_that_one(fresh, simulated_cluster):
    kubectl(simulated_cluster.kubeconfig, "-n", NAMESPACE, "delete", "networkpolicy", "default-deny-all")
    code, report = deploy_document("--context", simulated_cluster.context)
    assert (code, len(report["changes"])) == (0, 1)
    assert (report["requestsByKind"]["apply"], report["requestsByKind"]["dry-run"]) == (1, 1)
    assert report["requests"] <= UNCHANGED + OVERHEAD
    assert invoke("verify", "--context", simulated_cluster.context).returncode == 0
