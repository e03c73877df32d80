"""Looking after a platform that runs, on a real API server: its logs, and the routine checks."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, invoke
from tests.simulated.small_site import Site, deployed


@pytest.fixture(scope="module")
def site(simulated_cluster: SandboxStatus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with deployed(simulated_cluster, tmp_path_factory.mktemp("site")) as made:
        yield made


def test_every_container_is_read_and_followed_until_ctrl_c(site: Site) -> None:
    words = ("logs", "web", "--overlay", str(site.overlay), *site.where)
    read = invoke(*words)
    assert read.returncode == 0, read.stderr
    containers = [line.partition(" | ")[0].rpartition("/")[2] for line in read.stdout.splitlines()]
    assert list(dict.fromkeys(containers)) == ["wait-for-migrate", "web"]

    with subprocess.Popen(
        [*ARGV, *words, "--follow"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "/w" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("command", "checks"),
    [
        ("health.daily", {"workloads-ready", "memory-use", "warning-events"}),
        ("health.weekly", {"finished-jobs", "autoscaler-activity", "volume-use"}),
        ("health.monthly", {"sizing", "credentials-valid", "secret-age", "backup-drill"}),
    ],
)
def test_a_routine_look_reports_every_check(site: Site, command: str, checks: set[str]) -> None:
    ended = invoke(command, "--overlay", str(site.overlay), *site.where, "--output", "json")
    report = json.loads(ended.stdout)
    states = {check["name"]: check["state"] for check in report["checks"]}
    assert (ended.returncode, report["kind"], report["passed"]) == (0, "HealthReport", True), ended.stderr
    assert checks <= states.keys()
    assert {states.get("memory-use"), states.get("sizing")} <= {"passed", "warning", None}, (
        "the metrics API was not read"
    )


def test_a_pod_that_was_evicted_for_a_limit_of_its_own_is_named_by_status_and_verify(site: Site) -> None:
    """F53: the kubelet measures once a minute or so, which is later than a deploy looks on."""
    pod = next(name for name in site.kubectl("get", "pods", "--output", "name").split() if name.startswith("pod/web-"))
    why = 'Usage of EmptyDir volume "cache" exceeds the limit "10Mi".'
    status = json.dumps({"status": {"phase": "Failed", "reason": "Evicted", "message": f"{why} "}})
    site.kubectl("patch", pod, "--subresource", "status", "--type", "merge", "--patch", status)
    words = ("--overlay", str(site.overlay), *site.where)
    for _ in range(20):  # until the next pod is ready
        stands = json.loads(invoke("deploy.status", *words, "--output", "json").stdout)
        (web,) = (node for node in stands["nodes"] if node["name"] == "web")
        if web["state"] == "ready":
            break
    assert web["message"] == f"1/1 available; 1 pod evicted: {why}"
    checked = invoke("verify", *words)
    assert (checked.returncode, f"{pod}: Evicted: {why}" in checked.stdout) == (0, True), checked.stdout


def test_a_routine_look_fails_with_what_is_missing(site: Site) -> None:
    site.kubectl("delete", "configmap", "settings")
    ended = invoke("health.daily", "--overlay", str(site.overlay), *site.where)
    assert (ended.returncode, "configmap/settings: is missing" in ended.stdout) == (3, True), ended.stdout
