"""`skaffold run -p sandbox`, as a user types it: the real Skaffold, its hooks, and a real control plane."""

from __future__ import annotations

import json
import os
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bakery_ops.sandbox import lifecycle
from bakery_ops.sandbox.sizes import NodeSize
from bakery_ops.tools import process, skaffold
from bakery_ops.tools.kustomize import render_overlay
from tests.clusters import started

pytestmark = pytest.mark.timeout(2400)  # the first test builds Skaffold and the cluster's program

SCRIPTS = Path(sysconfig.get_path("scripts"))
NAMESPACE = "bakery-ia"


class Deployed:
    """A cluster of its own to which Skaffold has deployed once."""

    def __init__(self, context: str, kubeconfig: Path, output: str) -> None:
        self.context = context
        self.kubeconfig = kubeconfig
        self.output = output

    def objects(self, kinds: str) -> list[Mapping[str, Any]]:
        argv = [SCRIPTS / "kubectl", f"--kubeconfig={self.kubeconfig}", "-n", NAMESPACE, "get", kinds, "-o", "json"]
        items: list[Mapping[str, Any]] = json.loads(process.run(argv, timeout=60).stdout)["items"]
        return items


def skaffold_run(program: Path, repository: Path, home: Path, context: str, kubeconfig: Path) -> process.Result:
    """With the hooks, as on a user's command line: BAKERY_DEPLOY, which `invoke deploy` sets, is empty."""
    environment = skaffold.environment(path=os.environ["PATH"], bin_directory=SCRIPTS)
    places = {"HOME": str(home), "KUBECONFIG": str(kubeconfig), "DOCKER_HOST": f"unix://{home}/no-docker-here.sock"}
    state = {name: os.environ.get(name, default) for name, default in _directories().items()}
    return process.run(
        skaffold.run_argv(program, "sandbox", context=context),
        cwd=repository,
        env={**environment, **places, **state, "BAKERY_DEPLOY": ""},
        timeout=900,
        check=False,
    )


def _directories() -> dict[str, str]:
    """Our own directories stay where they are although HOME moves."""
    home = Path.home()
    return {
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
    }


@pytest.fixture(scope="module")
def deployed(skaffold_program: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    lifecycle.prepare(say=print, repository=repository)
    nodes = (NodeSize(8000, 20 * 2**30),)
    with started("simulated", nodes, "skaffold") as cluster:
        home = tmp_path_factory.mktemp("home")
        result = skaffold_run(skaffold_program, repository, home, cluster.context, cluster.kubeconfig)
        assert result.status == 0, result.stdout[-3000:] + result.stderr[-3000:]
        yield Deployed(cluster.context, cluster.kubeconfig, result.stdout + result.stderr)


def test_every_workload_of_the_overlay_is_ready_afterwards(deployed: Deployed, repository: Path) -> None:
    rendered = yaml.load_all(render_overlay(repository / "k8s/overlays/sandbox"), yaml.CSafeLoader)
    wanted = {each["metadata"]["name"] for each in rendered if each["kind"] in {"Deployment", "StatefulSet"}}
    workloads = deployed.objects("deployments,statefulsets")
    assert {workload["metadata"]["name"] for workload in workloads} == wanted
    for workload in workloads:
        assert workload["status"].get("readyReplicas") == workload["spec"]["replicas"], workload["metadata"]["name"]


def test_its_hooks_made_the_secrets_and_showed_the_status(deployed: Deployed) -> None:
    secrets = {secret["metadata"]["name"] for secret in deployed.objects("secrets")}
    assert {"bakery-ca", "auth-db-credentials", "auth-db-tls", "redis-acl"} <= secrets
    assert "demo-seed-users" in deployed.output


def test_a_second_run_changes_nothing_and_succeeds(
    deployed: Deployed, skaffold_program: Path, repository: Path, tmp_path: Path
) -> None:
    """Jobs cannot be changed, so a second run is where a deploy of Jobs breaks first."""
    before = {job["metadata"]["name"]: job["metadata"]["uid"] for job in deployed.objects("jobs")}
    result = skaffold_run(skaffold_program, repository, tmp_path, deployed.context, deployed.kubeconfig)
    assert result.status == 0, result.stdout[-3000:] + result.stderr[-3000:]
    assert {job["metadata"]["name"]: job["metadata"]["uid"] for job in deployed.objects("jobs")} == before
