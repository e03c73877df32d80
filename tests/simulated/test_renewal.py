"""`tls.rotate` on a standing platform: new certificates, restarted servers, and deploys that know nothing of it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, interrupted, invoke, kubectl

NAMES = ("auth-db", "orders-db")


def server(name: str) -> str:
    return f"""
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}, labels: {{app.kubernetes.io/part-of: bakery-ia}}}}
spec:
  serviceName: {name}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      securityContext: {{runAsNonRoot: true, runAsUser: 70, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: db
          image: "postgres:17"
          resources: {{requests: {{cpu: 10m, memory: 16Mi}}}}
          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
          volumeMounts: [{{name: tls, mountPath: /tls}}]
      volumes: [{{name: tls, secret: {{secretName: {name}-tls}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{selector: {{app: {name}}}, ports: [{{port: 5432}}]}}
"""


class Servers:
    """Two servers with a certificate each, deployed."""

    def __init__(self, cluster: SandboxStatus, folder: Path) -> None:
        self.kubeconfig, self.namespace = cluster.kubeconfig, f"renewal-{uuid4().hex[:6]}"
        (folder / "servers.yaml").write_text("---".join(map(server, NAMES)))
        self.where = ("--overlay", str(folder), "--namespace", self.namespace, "--context", cluster.context)

    def rotate(self, *words: str) -> str:
        ended = invoke("tls.rotate", *words, *self.where)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stderr

    def certificates(self) -> dict[str, str]:
        found = json.loads(kubectl(self.kubeconfig, "get", "secrets", "-n", self.namespace, "-o", "json"))["items"]
        held = {item["metadata"]["name"]: item["data"].get("tls.crt", "") for item in found}
        return {name: held[f"{name}-tls"] for name in NAMES}

    def pods(self) -> dict[str, str]:
        """The UID of each server's pod."""
        found = json.loads(kubectl(self.kubeconfig, "get", "pods", "-n", self.namespace, "-o", "json"))["items"]
        return {item["metadata"]["name"].removesuffix("-0"): item["metadata"]["uid"] for item in found}


@pytest.fixture(scope="module")
def servers(simulated_cluster: SandboxStatus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    made = Servers(simulated_cluster, tmp_path_factory.mktemp("overlay"))
    code, report = deploy_document(*made.where)
    assert code == 0, report
    yield made
    kubectl(made.kubeconfig, "delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in NAMES if before[name] != after[name]}


def test_where_nothing_is_due_nothing_is_done(servers: Servers) -> None:
    certificates, pods = servers.certificates(), servers.pods()
    assert "no certificate is due" in servers.rotate()
    assert (servers.certificates(), servers.pods()) == (certificates, pods)


def test_a_dry_run_says_what_it_would_do_and_does_nothing(servers: Servers) -> None:
    certificates, pods = servers.certificates(), servers.pods()
    assert "to restart, one after the other: auth-db, orders-db" in servers.rotate("--every", "--dry-run")
    assert (servers.certificates(), servers.pods()) == (certificates, pods)


def test_a_renewed_certificate_restarts_its_server_and_no_other(servers: Servers) -> None:
    certificates, pods = servers.certificates(), servers.pods()
    servers.rotate("auth-db")
    assert changed(certificates, servers.certificates()) == {"auth-db"}
    assert changed(pods, servers.pods()) == {"auth-db"}


def test_a_deploy_afterwards_changes_nothing_and_restarts_nobody(servers: Servers) -> None:
    servers.rotate("orders-db")
    pods = servers.pods()
    code, report = deploy_document(*servers.where)
    assert (code, report["changes"], servers.pods()) == (0, [], pods)


def test_a_run_that_was_killed_before_the_restart_is_gone_on_with(servers: Servers) -> None:
    certificates, pods = servers.certificates(), servers.pods()
    interrupted("tls.rotate", "auth-db", *servers.where, after="auth-db-tls renewed", by=signal.SIGKILL)
    renewed = servers.certificates()
    assert changed(certificates, renewed) == {"auth-db"}
    if servers.pods() == pods:
        checked = invoke("tls.check", *servers.where)
        assert "auth-db still holds the certificate from before" in checked.stdout + checked.stderr
    servers.rotate()
    assert servers.certificates() == renewed
    assert changed(pods, servers.pods()) == {"auth-db"}
    assert "no certificate is due" in servers.rotate()


def test_a_certificate_nobody_knows_is_bad_input(servers: Servers) -> None:
    ended = invoke("tls.rotate", "auth-bd", *servers.where)
    assert (ended.returncode, "auth-db-tls" in ended.stderr) == (64, True), ended.stderr
    both = invoke("tls.rotate", "auth-db", "--every", *servers.where)
    assert (both.returncode, "--every" in both.stderr) == (64, True), both.stderr
