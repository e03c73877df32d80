"""What goes below the platform while a deploy runs, on a real control plane: the only node, and the store."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.sizes import NodeSize
from tests.clusters import started
from tests.commands import kubectl
from tests.simulated.faults import deploy
from tests.simulated.small_platform import small_platform

GONE = {
    "status": {
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "container runtime is down"}
        ]
    }
}


@pytest.fixture
def lonely() -> Iterator[SandboxStatus]:
    """A cluster of one simulated node, of this test alone."""
    with started("simulated", (NodeSize(8000, 20 * 2**30),), "lonely") as cluster:
        yield cluster


def test_a_store_that_stalls_is_waited_for(lonely: SandboxStatus, tmp_path: Path) -> None:
    """F30: etcd stands still for eight seconds in the middle of a deploy."""
    items = small_platform(random.Random(7), "stalled")
    (tmp_path / "platform.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    words = ["--overlay", str(tmp_path), "--namespace", "stalled", "--context", lonely.context]
    etcd = lonely.pids["etcd"]
    goes_on = threading.Timer(8.0, os.kill, (etcd, signal.SIGCONT))

    def stalls() -> None:
        os.kill(etcd, signal.SIGSTOP)
        goes_on.start()

    ended = deploy(words, after="plan:", act=stalls, freeze=True)
    goes_on.join()
    assert ended.code == 0, ended.progress
    jobs = [item for item in items if item["kind"] == "Job"]
    pods = kubectl(
        lonely.kubeconfig, "-n", "stalled", "get", "pods", "-l", "batch.kubernetes.io/job-name", "-o", "name"
    )
    assert len(pods.split()) == len(jobs), pods


FULL = {
    "status": {
        "conditions": [
            {
                "type": "DiskPressure",
                "status": "True",
                "reason": "KubeletHasDiskPressure",
                "message": "kubelet has disk pressure",
            }
        ]
    }
}


def test_the_only_node_whose_disk_is_full_is_the_one_cause(lonely: SandboxStatus, tmp_path: Path) -> None:
    """F33: its taint keeps every new pod away; the scheduler's own words do not say which taint it is."""
    items = small_platform(random.Random(7), "full")
    (tmp_path / "platform.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    words = ["--overlay", str(tmp_path), "--namespace", "full", "--context", lonely.context]
    (node,) = kubectl(lonely.kubeconfig, "get", "nodes", "--output", "name").split()

    def fills_up() -> None:
        kubectl(lonely.kubeconfig, "patch", node, "--subresource=status", "--patch", json.dumps(FULL))
        kubectl(
            lonely.kubeconfig, "wait", node, "--for=jsonpath={.spec.taints[0].key}=node.kubernetes.io/disk-pressure"
        )

    ended = deploy(words, after="plan:", act=fills_up, freeze=True, env={"BAKERY_DEADLINE": "20s"})
    (sentence,) = ended.sentences
    said = "KubeletHasDiskPressure: kubelet has disk pressure; blocks "
    assert sentence.startswith(f"the cluster has no node that takes new pods: {node.removeprefix('node/')}: {said}")
    assert ended.code == 70, ended.progress


def test_the_only_node_that_goes_is_the_one_cause(lonely: SandboxStatus, tmp_path: Path) -> None:
    """F31: one sentence, about it, with its own reason."""
    items = small_platform(random.Random(7), "lonely")
    (tmp_path / "platform.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    words = ["--overlay", str(tmp_path), "--namespace", "lonely", "--context", lonely.context]
    (node,) = kubectl(lonely.kubeconfig, "get", "nodes", "--output", "name").split()

    def goes() -> None:
        os.kill(lonely.pids["kwok"], signal.SIGSTOP)  # the simulated kubelet reports nothing any more
        kubectl(lonely.kubeconfig, "patch", node, "--subresource=status", "--patch", json.dumps(GONE))

    ended = deploy(words, after="plan:", act=goes, freeze=True, env={"BAKERY_DEADLINE": "30s"})
    name = node.removeprefix("node/")
    (sentence,) = ended.sentences
    assert sentence.startswith(
        f"the cluster has no node that is ready: {name}: KubeletNotReady: container runtime is down; blocks "
    )
    assert ended.code in (3, 70), ended.progress
