"""The sandbox with simulated nodes, driven as a user drives it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.errors import Locked, PreflightRefused
from bakery_ops.sandbox import lifecycle, processes, record
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.instance import instance
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.sizes import NodeSize
from tests.simulated.conftest import NODES, REPOSITORY

Document = dict[str, Any]


@pytest.fixture
def api(simulated_cluster: SandboxStatus) -> Iterator[Api]:
    place = instance(simulated_cluster.name)
    found = record.read(place.directory)
    assert found is not None
    with Api(found.server, place.pki) as connection:
        yield connection


def wait_for(api: Api, path: str, holds: Callable[[Document], bool]) -> Document:
    return api.until(path, holds, within=60, waiting_for=path)


def deployment(name: str, *, replicas: int = 1, annotations: dict[str, str] | None = None) -> Document:
    container = {
        "name": "app",
        "image": "bakery/trial-service:dev",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    wait = {"name": "wait-for-db", "image": "bakery/trial-service:dev"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}, "annotations": annotations or {}},
                "spec": {"initContainers": [wait], "containers": [container]},
            },
        },
    }


def waiting_reason(pods: Document) -> str:
    states = [one["state"] for pod in pods["items"] for one in pod.get("status", {}).get("containerStatuses", [])]
    return next((state["waiting"]["reason"] for state in states if "waiting" in state), "")


def pods_of(name: str) -> str:
    return f"/api/v1/namespaces/default/pods?labelSelector=app%3D{name}"


def test_start_reports_a_running_cluster_with_the_nodes_asked_for(simulated_cluster: SandboxStatus) -> None:
    assert (simulated_cluster.state, simulated_cluster.kind) == ("running", "simulated")
    assert simulated_cluster.nodes == NODES
    assert simulated_cluster.kubeconfig.stat().st_mode & 0o077 == 0


def test_a_second_start_finds_the_running_cluster(simulated_cluster: SandboxStatus) -> None:
    said: list[str] = []
    again = lifecycle.start(None, (), say=said.append, repository=REPOSITORY, name=simulated_cluster.name)
    assert again.pids == simulated_cluster.pids
    assert "running already" in said[0]


def test_a_second_start_with_other_nodes_is_refused_and_names_the_difference(simulated_cluster: SandboxStatus) -> None:
    with pytest.raises(PreflightRefused, match="8cpu,20Gi; 8cpu,20Gi, not 4cpu,8Gi") as refused:
        lifecycle.start(
            "simulated", [NodeSize(4000, 8 * 2**30)], say=print, repository=REPOSITORY, name=simulated_cluster.name
        )
    assert "sandbox.stop" in refused.value.remedy


def test_a_second_start_of_the_other_kind_is_refused(simulated_cluster: SandboxStatus) -> None:
    with pytest.raises(PreflightRefused, match="a simulated sandbox is running, and a real one was asked for"):
        lifecycle.start("real", (), say=print, repository=REPOSITORY, name=simulated_cluster.name)


def test_fifty_pods_become_ready(api: Api) -> None:
    api.apply([deployment("fifty", replicas=50)])
    wait_for(
        api,
        "/apis/apps/v1/namespaces/default/deployments/fifty",
        lambda found: found.get("status", {}).get("availableReplicas") == 50,
    )


def test_a_claim_is_bound_once_its_pod_has_a_node(api: Api) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "trial", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "trial", "namespace": "default"},
        "spec": {
            "containers": [{"name": "app", "image": "x:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "trial"}}],
        },
    }
    api.apply([claim, pod])
    wait_for(
        api,
        "/api/v1/namespaces/default/persistentvolumeclaims/trial",
        lambda found: found["status"]["phase"] == "Bound",
    )
    wait_for(api, "/api/v1/namespaces/default/pods/trial", lambda found: found["status"]["phase"] == "Running")


def test_a_job_succeeds(api: Api) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "seed", "namespace": "default"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "x:1"}]}}},
    }
    api.apply([job])
    wait_for(
        api,
        "/apis/batch/v1/namespaces/default/jobs/seed",
        lambda found: found.get("status", {}).get("succeeded") == 1,
    )


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("image-not-found", "ImagePullBackOff"),
        ("registry-5xx", "ImagePullBackOff"),
        ("crash-loop", "CrashLoopBackOff"),
        ("oom-killed", "CrashLoopBackOff"),
    ],
)
def test_a_rehearsed_failure_shows_the_reason_a_kubelet_gives(api: Api, mode: str, reason: str) -> None:
    annotations = {"bakery-ia.dev/simulate": mode, "bakery-ia.dev/simulate-run-time": "50ms"}
    api.apply([deployment(mode, annotations=annotations)])
    pods = wait_for(api, pods_of(mode), lambda found: waiting_reason(found) == reason)
    name = pods["items"][0]["metadata"]["name"]
    events = wait_for(
        api,
        f"/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3D{name}",
        lambda found: any(one["reason"] == "BackOff" for one in found["items"]),
    )
    assert all(one["involvedObject"]["uid"] for one in events["items"])


def test_an_autoscaler_becomes_active(api: Api) -> None:
    target = {"type": "Utilization", "averageUtilization": 70}
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaled", "namespace": "default"},
        "spec": {
            "minReplicas": 1,
            "maxReplicas": 3,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"},
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }
    api.apply([deployment("scaled"), autoscaler])

    def is_active(found: Document) -> bool:
        conditions = found.get("status", {}).get("conditions", [])
        return any(one["type"] == "ScalingActive" and one["status"] == "True" for one in conditions)

    path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/scaled"
    wait_for(api, path, is_active)


def test_after_a_crash_the_next_start_cleans_up_and_works(tmp_path: Path) -> None:
    name = f"test-crash-{os.getpid() % 10000}"
    first = lifecycle.start("simulated", (), say=print, repository=REPOSITORY, name=name)
    try:
        place = instance(name)
        api_server = next(one for one in Daemons(place.directory) if one.name == "kube-apiserver")
        processes.end(api_server.pid, api_server.identity, grace=0)
        assert lifecycle.status(name).state == "broken"
        said: list[str] = []
        second = lifecycle.start("simulated", (), say=said.append, repository=REPOSITORY, name=name)
        assert any("cleaning up" in line for line in said)
        assert second.state == "running"
        assert not set(first.pids.values()) & set(second.pids.values())
    finally:
        lifecycle.stop(say=print, name=name)
    assert lifecycle.status(name).state == "stopped"
    assert not place.directory.exists()
    assert processes.marked(place.directory) == []


def test_two_commands_do_not_start_the_same_sandbox_at_once(simulated_cluster: SandboxStatus) -> None:
    with lifecycle.alone(instance(simulated_cluster.name)), pytest.raises(Locked, match="another command"):
        lifecycle.stop(say=print, name=simulated_cluster.name)


def test_stopping_what_does_not_run_is_no_error() -> None:
    assert lifecycle.stop(say=print, name="test-never-started") is False
