"""F43 on a real node: names that do not resolve are the cause, and not the service that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl

pytestmark = pytest.mark.timeout(600)

NAMESPACE = "lookup"
LABELS = {"app": "web"}
LOOKUP = "getent hosts kubernetes.default.svc.cluster.local && exec sleep 3600; echo no such name >&2; exit 1"
CONTAINER = {
    "name": "web",
    "image": "redis:7.0-bookworm",
    "command": ["sh", "-c", LOOKUP],
    "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
}
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [CONTAINER]},
        },
    },
}
ELSEWHERE = {"spec": {"nodeSelector": {"not": "there"}}}
NOWHERE = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": ELSEWHERE}}


@pytest.fixture
def overlay(real_cluster: SandboxStatus, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """The words of a deploy; cluster DNS is as it was when the test ends."""
    images = invoke("sandbox.images", "--name", real_cluster.name)
    assert images.returncode == 0, images.stderr
    (tmp_path / "web.json").write_text(json.dumps(WEB))
    before = json.loads(coredns(real_cluster, "get", "--output", "json"))["spec"]
    yield ("--overlay", str(tmp_path), "--namespace", NAMESPACE, "--context", real_cluster.context)
    whole = [{"op": "replace", "path": "/spec", "value": before}]
    coredns(real_cluster, "patch", "--type", "json", "--patch", json.dumps(whole))
    coredns(real_cluster, "rollout", "status", "--timeout=90s")
    kubectl(real_cluster.kubeconfig, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def coredns(cluster: SandboxStatus, *words: str) -> str:
    verb = words[:2] if words[0] == "rollout" else words[:1]
    rest = words[len(verb) :]
    return kubectl(cluster.kubeconfig, "--namespace", "kube-system", *verb, "deployment/coredns", *rest)


def test_a_deploy_without_names_is_refused_before_it_writes(
    real_cluster: SandboxStatus, overlay: tuple[str, ...]
) -> None:
    coredns(real_cluster, "scale", "--replicas=0")
    refused = invoke("deploy", *overlay)
    assert refused.returncode == 4, refused.stderr
    assert "cluster DNS is down: deployment/coredns in kube-system is scaled to 0" in refused.stderr
    assert f"namespace/{NAMESPACE}" not in kubectl(real_cluster.kubeconfig, "get", "namespaces", "--output", "name")


def test_names_that_went_are_the_cause_of_what_crashes(real_cluster: SandboxStatus, overlay: tuple[str, ...]) -> None:
    coredns(real_cluster, "patch", "--patch", json.dumps(NOWHERE))
    coredns(real_cluster, "wait", "--for=jsonpath={.status.unavailableReplicas}=1", "--timeout=60s")
    failed = invoke("deploy", *overlay, "--output", "json")
    assert failed.returncode == 3, failed.stderr
    assert "cluster DNS is down: 0 of 1 pods" in failed.stderr  # said at once, before anything has failed
    (cause,) = json.loads(failed.stdout)["causes"]
    assert cause["sentence"].startswith("cluster DNS is down: 0 of 1 pods of deployment/coredns in kube-system")
    assert "k8s-app=kube-dns" in cause["next"]
