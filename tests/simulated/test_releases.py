"""Releases on a real control plane: recorded, listed, gone back to, refused, killed in between and resumed."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, invoke, kubectl, objects
from tests.proxy import FaultProxy, Kill, upstream_of

pytestmark = pytest.mark.timeout(600)

SHOP = (Path(__file__).parent / "releases" / "shop.yaml").read_text()
EXTRA = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {only: in version 2}\n"
CANARY = "canary-of-the-shop"
CANARY_ENCODED = base64.b64encode(CANARY.encode()).decode()


def version(web: int, migrate: int = 1, more: str = "") -> str:
    return SHOP.replace("bakery/web:1", f"bakery/web:{web}").replace("migrate:1", f"migrate:{migrate}") + more


class Shop:
    """A namespace of its own on the shared cluster."""

    def __init__(self, cluster: SandboxStatus, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.namespace = f"shop-{uuid4().hex[:6]}"
        (folder / "overlay").mkdir()

    @property
    def words(self) -> Sequence[str]:
        return "--namespace", self.namespace, "--context", self.cluster.context

    def run(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        return invoke(command, *self.words, *words)

    def deploy(self, text: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.run("deploy", *self._overlay(text), *words)

    def deployed(self, *texts: str) -> None:
        for text in texts:
            ended = self.deploy(text)
            assert ended.returncode == 0, ended.stdout + ended.stderr

    def killed(self, number: int, command: str, *words: str) -> None:
        """The command through a proxy that kills it when the answer of its mutation `number` has been read."""
        with FaultProxy(upstream_of(self.cluster.kubeconfig, self.cluster.kubeconfig.parent / "pki")) as proxy:
            kubeconfig = proxy.write_kubeconfig(self.folder / "kubeconfig")
            proxy.kill = Kill(number, "B")
            argv = [*ARGV, command, *self.words, "--kubeconfig", str(kubeconfig), *words]
            with subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ) as process:
                proxy.victim = process.pid
                output, _ = process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL, output

    def killed_deploy(self, number: int, text: str) -> None:
        self.killed(number, "deploy", *self._overlay(text))

    def history(self) -> dict[str, Any]:
        ended = self.run("deploy.history", "--output", "json")
        assert ended.returncode == 0, ended.stderr
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def live(self) -> list[dict[str, Any]]:
        return objects(self.cluster.kubeconfig, ("configmaps", "secrets", "deployments", "jobs"), self.namespace)

    def images(self) -> Mapping[str, str]:
        return {
            item["metadata"]["name"]: item["spec"]["template"]["spec"]["containers"][0]["image"]
            for item in self.live()
            if item["kind"] in ("Deployment", "Job")
        }

    def versions(self) -> Mapping[str, str]:
        return {
            f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in self.live()
        }

    def job(self) -> str:
        return next(item["metadata"]["uid"] for item in self.live() if item["kind"] == "Job")

    def _overlay(self, text: str) -> Sequence[str]:
        (self.folder / "overlay" / "shop.yaml").write_text(text)
        return "--overlay", str(self.folder / "overlay")


@pytest.fixture
def shop(simulated_cluster: SandboxStatus, tmp_path: Path) -> Iterator[Shop]:
    site = Shop(simulated_cluster, tmp_path)
    yield site
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", site.namespace, "--wait=false", "--ignore-not-found")


def test_a_rollback_brings_the_release_before_back_and_runs_no_job(shop: Shop) -> None:
    shop.deployed(version(1), version(2, more=EXTRA))
    listed = shop.history()["releases"]
    assert [(entry["number"], entry["live"]) for entry in listed] == [(2, True), (1, False)]
    assert listed[0]["changes"]["images"] == ["bakery/web 1 -> 2"]
    assert listed[0]["changes"]["added"] == ["configmap/extra"]
    job = shop.job()
    ended = shop.run("deploy.rollback")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "deployed and verified" in ended.stdout
    assert (shop.images(), shop.job()) == ({"web": "bakery/web:1", "migrate": "bakery/migrate:1"}, job)
    assert "ConfigMap/extra" not in shop.versions()
    newest = shop.history()["releases"][0]
    assert (newest["number"], newest["live"], newest["rollbackTo"]) == (3, True, 1)
    before = shop.versions()
    again = shop.run("deploy.rollback", "--to", "1")
    assert (again.returncode, "nothing to roll back" in again.stdout) == (0, True), again.stderr
    assert shop.versions() == before


def test_a_rollback_past_a_migration_is_refused_and_changes_nothing_unless_it_is_accepted(shop: Shop) -> None:
    shop.deployed(version(1), version(2, migrate=2))
    before, job = shop.versions(), shop.job()
    refused = shop.run("deploy.rollback")
    assert refused.returncode == 5
    assert (
        "migrate: the database was migrated by bakery/migrate:2; the release brings bakery/migrate:1" in refused.stderr
    )
    assert shop.versions() == before
    accepted = shop.run("deploy.rollback", "--accept-newer-schema")
    assert accepted.returncode == 0, accepted.stderr
    assert (shop.images()["web"], shop.job()) == ("bakery/web:1", job)


@pytest.mark.parametrize("number", [2, 4])
def test_a_rollback_killed_in_the_middle_is_finished_by_the_same_command(shop: Shop, number: int) -> None:
    """F18"""
    shop.deployed(version(1), version(2, more=EXTRA))
    job = shop.job()
    shop.killed(number, "deploy.rollback")
    ended = shop.run("deploy.rollback")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (shop.images()["web"], shop.job()) == ("bakery/web:1", job)
    history = shop.history()
    assert [entry["rollbackTo"] for entry in history["releases"]] == [1, None, None]
    assert history["unrecorded"] is None


def test_resume_goes_on_with_what_was_interrupted_and_with_nothing_else(shop: Shop) -> None:
    assert shop.deploy(version(1), "--resume").returncode == 4
    shop.deployed(version(1))
    shop.killed_deploy(4, version(2, more=EXTRA))
    assert shop.history()["unrecorded"]["profile"] == "sandbox"
    changed = shop.deploy(version(3, more=EXTRA), "--resume")
    assert (changed.returncode, "changed: deployment/web" in changed.stderr) == (4, True), changed.stderr
    resumed = shop.deploy(version(2, more=EXTRA), "--resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert shop.images()["web"] == "bakery/web:2"
    done = shop.deploy(version(2, more=EXTRA), "--resume")
    assert (done.returncode, "nothing to resume" in done.stderr) == (4, True), done.stderr


def test_a_record_holds_no_secret_and_what_cannot_be_gone_back_to_is_said_in_a_sentence(shop: Shop) -> None:
    """I6, and the bad input of `deploy.rollback`: exit code, one sentence, nothing changed."""
    none = shop.run("deploy.rollback")
    assert (none.returncode, "no release is recorded" in none.stderr) == (4, True), none.stderr
    shop.deployed(version(1))
    kept = {item["metadata"]["name"]: item for item in shop.live()}
    text = zlib.decompress(base64.b64decode(kept["bakery-ops-release-1"]["binaryData"]["text"])).decode()
    assert ('"name":"login"' in text, CANARY in text, CANARY_ENCODED in text) == (True, False, False)
    ours = json.dumps([item for name, item in kept.items() if name.startswith("bakery-ops-")])
    assert (CANARY in ours, CANARY_ENCODED in ours) == (False, False)
    before = shop.versions()
    for words, code, sentence in (
        ((), 4, "release 1 is the oldest one recorded"),
        (("--to", "99"), 64, "there is no release 99"),
        (("--to", "x"), 64, "is not a whole number"),
        (("--to", "1", "--profile", "dev"), 5, "was deployed with the profile 'sandbox', not 'dev'"),
    ):
        refused = shop.run("deploy.rollback", *words)
        assert (refused.returncode, sentence in refused.stderr) == (code, True), refused.stderr
    assert shop.versions() == before
