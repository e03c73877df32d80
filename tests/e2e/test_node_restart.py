"""A node that restarts under a running migration: its containers are gone at once, and its kubelet comes back."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.tools import process
from tests.commands import invoke, kubectl
from tests.simulated.faults import deploy

pytestmark = pytest.mark.timeout(900)

NAMESPACE = "node-restart"
IMAGE = "redis:7.0-bookworm"
# The script stands in the container's command line, by which its process is found on the machine.
SCRIPT = "echo of-the-node-restart; trap 'exit 1' TERM; sleep 8 & wait $!"
MANIFESTS = [
    {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {
            "backoffLimit": 3,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "migrate", "image": IMAGE, "command": ["sh", "-c", SCRIPT]}],
                }
            },
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "annotations": {"config.kubernetes.io/depends-on": f"batch/namespaces/{NAMESPACE}/Job/migrate"},
        },
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {"name": "web", "image": IMAGE, "readinessProbe": {"tcpSocket": {"port": 6379}}},
                    ]
                },
            },
        },
    },
]


def restart_node(cluster: SandboxStatus) -> None:
    """SIGKILL for the kubelet and the migration's container, then the same kubelet again."""
    daemons = Daemons(cluster.kubeconfig.parent)
    command = [word.decode() for word in command_line(cluster.pids["kubelet"])]
    (container,) = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and command_line(int(entry.name)) == [b"sh", b"-c", SCRIPT.encode()]
    ]
    daemons.stop(lambda name: name == "kubelet", grace=0)
    os.kill(container, signal.SIGKILL)
    beside = f"--target={cluster.pids['kube-proxy']}"
    daemons.start("kubelet", [process.find("nsenter"), beside, "--net", *command], is_urgent=True)


def command_line(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:  # it ended meanwhile
        return []


def test_a_node_that_restarts_during_a_migration_costs_one_attempt_and_nothing_else(
    real_cluster: SandboxStatus, tmp_path: Path
) -> None:
    """F32: the Job's controller starts it once more; what needs it comes after that."""
    images = invoke("sandbox.images", "--name", real_cluster.name)
    assert images.returncode == 0, images.stderr
    (tmp_path / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": MANIFESTS}))
    here = ("--namespace", NAMESPACE)

    def while_it_runs() -> None:
        kubectl(real_cluster.kubeconfig, *here, "wait", "job/migrate", "--for=create", "--timeout=60s")
        running = "--for=jsonpath={.status.ready}=1"
        kubectl(real_cluster.kubeconfig, *here, "wait", "job/migrate", running, "--timeout=60s")
        restart_node(real_cluster)

    words = ["--overlay", str(tmp_path), *here, "--context", real_cluster.context]
    ended = deploy(words, after="plan:", act=while_it_runs)
    job = json.loads(kubectl(real_cluster.kubeconfig, *here, "get", "job/migrate", "--output", "json"))
    assert (ended.code, job["status"]["failed"], job["status"]["succeeded"]) == (0, 1, 1), ended.progress
    assert "container migrate ended with exit code 137, 1 failed of 4 attempts" in ended.progress
    kubectl(real_cluster.kubeconfig, "wait", "nodes", "--all", "--for=condition=Ready", "--timeout=60s")
    again = deploy(words)
    assert (again.code, again.report["changes"]) == (0, []), again.progress
    kubectl(real_cluster.kubeconfig, "delete", "namespace", NAMESPACE, "--wait=false")
