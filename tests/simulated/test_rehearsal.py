"""prod is rehearsed on nodes of the server's size, and refused on smaller ones before anything is written."""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.lifecycle import SandboxStatus
from bakery_ops.sandbox.sizes import parse_node_size
from tests.clusters import started
from tests.commands import ARGV, ROOT, deploy_document, invoke, kubectl

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> Iterator[SandboxStatus]:
    with started("simulated", [parse_node_size(request.param)], "rehearsal") as cluster:
        yield cluster


@pytest.mark.parametrize("cluster", ["8cpu,20Gi"], indirect=True)
def test_prod_fits_and_becomes_ready_on_a_node_of_the_servers_size(cluster):
    code, report = deploy_document("--profile", "prod", "--context", cluster.context)
    assert (code, report["outcome"]) == (0, "succeeded"), report.get("causes")
    wanted = "jsonpath={range .items[*]}{.metadata.name}={.spec.replicas} {end}"
    replicas = kubectl(cluster.kubeconfig, "-n", "bakery-ia", "get", "deployments", "-o", wanted)
    assert {pair for pair in replicas.split() if pair.endswith("=2")} == {
        "procurement-service=2",
        "orchestrator-service=2",
        "ai-insights-service=2",
    }


@pytest.mark.parametrize("cluster", ["4cpu,8Gi"], indirect=True)
def test_prod_is_refused_where_it_does_not_fit_and_nothing_is_written(cluster):
    refused = invoke("deploy", "--profile", "prod", "--context", cluster.context)
    assert (refused.returncode, "does not fit" in refused.stderr) == (4, True), refused.stderr
    assert "bakery-ia" not in kubectl(cluster.kubeconfig, "get", "namespaces")


def test_a_rehearsed_fault_ends_as_its_deploy_would_and_nothing_stays_behind():
    words = ["--fault", "crash-loop=redis", "--fail-mode", "fast", "--output", "json"]
    ended = invoke("rehearse", *words, timeout=300)
    assert ended.returncode == 3, ended.stderr
    (cause,) = json.loads(ended.stdout)["causes"]
    assert cause["sentence"].startswith("redis is down: CrashLoopBackOff: exit code 1, 3 restarts; blocks "), cause
    stopped = re.search(r"sandbox (rehearsal-\d+) stopped and removed", ended.stderr)
    assert stopped is not None, ended.stderr
    assert lifecycle.status(stopped[1]).state == "stopped"


SMALL = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "shop/web:1"}]}
"""


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def test_a_rehearsal_that_is_killed_leaves_nothing(tmp_path: Path):
    """Also kill -9: its nodes would go on running, and nobody would know of them."""
    state = {"BAKERY_STATE_DIR": str(tmp_path / "state")}
    argv = [*ARGV, "rehearse", "--fault", "crash-loop=redis"]
    with subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, **state}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert any("sandbox ready" in line for line in process.stderr)
        started_by_it = [os.pidfd_open(pid) for pid in children(process.pid)]
        process.kill()
    assert started_by_it
    for each in started_by_it:
        ended, _, _ = select.select([each], [], [], 60)
        assert ended, "a process of the rehearsal outlives it"
        os.close(each)
    assert [*(tmp_path / "state").rglob("rehearsal-*")] == []


def test_a_rehearsal_whose_reader_went_away_ends_as_its_deploy_and_leaves_nothing(tmp_path: Path):
    """F47"""
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "web.yaml").write_text(SMALL)
    words = [*ARGV, "rehearse", "--overlay", str(tmp_path / "overlay"), "--namespace", "unread"]
    code = tmp_path / "code"
    piped = f"{{ {shlex.join(words)} 2>&1; echo $? > {code}; }} | head -1"
    state = {"BAKERY_STATE_DIR": str(tmp_path / "state")}
    subprocess.run(["/bin/sh", "-c", piped], cwd=ROOT, env={**os.environ, **state}, capture_output=True, check=False)
    assert code.read_text() == "0\n"
    assert [*(tmp_path / "state").rglob("rehearsal-*")] == []
