"""The whole platform on a real control plane with simulated nodes: deployed, unchanged, interrupted, refused."""

from __future__ import annotations

import re

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, interrupted, invoke, kubectl, objects

NAMESPACE = "bakery-ia"
KINDS = ("deployments", "statefulsets", "jobs", "services", "configmaps", "secrets", "horizontalpodautoscalers")


@pytest.fixture(scope="module")
def first_deploy(simulated_cluster: SandboxStatus) -> tuple[int, dict]:
    return deploy_document("--context", simulated_cluster.context)


def versions(cluster: SandboxStatus) -> dict[tuple[str, str], tuple[str, str]]:
    return {
        (item["kind"], item["metadata"]["name"]): (item["metadata"]["uid"], str(item.get("spec", item.get("data"))))
        for item in objects(cluster.kubeconfig, KINDS, NAMESPACE)
        if not item["metadata"]["name"].startswith("bakery-ops")
    }


def test_everything_becomes_ready_and_is_verified(first_deploy):
    code, report = first_deploy
    assert (code, report["outcome"]) == (0, "succeeded")
    assert {node["verdict"] for node in report["nodes"]} == {"ready"}
    assert [check["name"] for check in report["checks"] if check["state"] == "failed"] == []


def test_a_deploy_of_the_same_writes_nothing(first_deploy, simulated_cluster):
    before = versions(simulated_cluster)
    code, report = deploy_document("--context", simulated_cluster.context)
    assert (code, report["changes"]) == (0, [])
    assert {node["status"] for node in report["nodes"]} == {"unchanged"}
    assert versions(simulated_cluster) == before


def test_verify_and_status_agree_that_it_stands(first_deploy, simulated_cluster):
    assert invoke("verify", "--context", simulated_cluster.context).returncode == 0
    status = invoke("deploy.status", "--context", simulated_cluster.context)
    assert (status.returncode, "lock: free" in status.stdout) == (0, True), status.stdout + status.stderr
    assert re.search(r"^cluster: [0-9a-f-]{36}/[0-9a-f]{16} \(Kubernetes v1\.", status.stdout, re.MULTILINE)


def test_a_plan_of_the_same_has_no_changes(first_deploy, simulated_cluster):
    planned = invoke("deploy.plan", "--context", simulated_cluster.context, "--exit-code")
    assert (planned.returncode, "0 to write" in planned.stdout) == (0, True), planned.stdout + planned.stderr


def test_what_a_human_changed_is_found_and_put_back(first_deploy, simulated_cluster):
    kubeconfig = simulated_cluster.kubeconfig
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"bakery/auth-service:hacked"}]}}}}'
    kubectl(kubeconfig, "-n", NAMESPACE, "patch", "deployment", "auth-service", "--patch", patch)
    planned = invoke("deploy.plan", "--context", simulated_cluster.context, "--exit-code")
    assert planned.returncode == 4, "as a deploy without the flag ends"
    assert "containers[app].image: bakery/auth-service:hacked -> bakery/auth-service:dev" in planned.stdout
    assert "needs --force-conflicts" in planned.stdout
    code, report = deploy_document("--context", simulated_cluster.context, "--force-conflicts")
    assert (code, [change["node"] for change in report["changes"]]) == (0, ["auth-service"])
    live = objects(kubeconfig, ("deployments",), NAMESPACE)
    images = {item["spec"]["template"]["spec"]["containers"][0]["image"] for item in live}
    assert "bakery/auth-service:hacked" not in images


def test_ctrl_c_ends_in_130_and_a_rerun_completes(simulated_cluster, first_deploy):
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", NAMESPACE, "--wait")
    code, _stderr = interrupted("deploy", "--context", simulated_cluster.context, after="databases:")
    assert code == 130
    code, report = deploy_document("--context", simulated_cluster.context)
    assert (code, report["outcome"]) == (0, "succeeded")


def test_a_protected_profile_needs_its_context(simulated_cluster):
    refused = invoke("deploy", "--profile", "prod")
    assert (refused.returncode, "never uses the current context" in refused.stderr) == (5, True), refused.stderr


def test_a_profile_refuses_a_context_it_does_not_name(simulated_cluster):
    refused = invoke("deploy", "--profile", "prod", "--context", "colima-k8s-local")
    assert (refused.returncode, "does not accept" in refused.stderr) == (5, True), refused.stderr


def test_a_sandbox_that_does_not_run_is_said_so():
    refused = invoke("verify", "--context", "bakery-sandbox-nosuch")
    assert (refused.returncode, "is not running" in refused.stderr) == (4, True), refused.stderr


def test_an_unreachable_cluster_is_refused_within_seconds_and_named(tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: minikube\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n"
        "users: [{name: u, user: {token: x}}]\n"
        "contexts: [{name: minikube, context: {cluster: c, user: u}}]\n"
    )
    refused = invoke("verify", "--profile", "dev", "--kubeconfig", str(kubeconfig), timeout=30)
    assert (refused.returncode, "127.0.0.1:1" in refused.stderr) == (4, True), refused.stderr
