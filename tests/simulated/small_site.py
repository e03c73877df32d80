"""A small platform in a namespace of its own, deployed as a user deploys it: for commands that need one standing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl

PLATFORM = Path(__file__).with_name("small") / "platform.yaml"
ALL = "deployments,statefulsets,jobs,services,configmaps,secrets,serviceaccounts,persistentvolumeclaims,pods"


class Site:
    """A namespace with a small platform of its own, deployed."""

    def __init__(self, cluster: SandboxStatus, folder: Path) -> None:
        self.cluster, self.namespace = cluster, f"small-{uuid4().hex[:6]}"
        self.overlay = folder / "overlay"
        self.overlay.mkdir()
        text = PLATFORM.read_text().replace("NAMESPACE", self.namespace)
        (self.overlay / "platform.yaml").write_text(text)
        self.where = ("--namespace", self.namespace, "--context", cluster.context)

    def deploy(self) -> None:
        ended = invoke("deploy", "--overlay", str(self.overlay), *self.where)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return kubectl(self.cluster.kubeconfig, "--namespace", self.namespace, *words, stdin=stdin)

    def left(self) -> set[str]:
        """What is in the namespace, without what the control plane and we ourselves keep there."""
        items = json.loads(self.kubectl("get", ALL, "-o", "json", "--ignore-not-found") or '{"items": []}')["items"]
        names = {f"{item['kind']}/{item['metadata']['name']}" for item in items}
        automatic = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}
        return {name for name in names - automatic if "bakery-ops-" not in name}

    def inventory(self) -> set[str]:
        text = self.kubectl("get", "configmap", "bakery-ops-inventory", "-o", "jsonpath={.data.objects}")
        return {"/".join(line.split("/")[1::2]) for line in text.splitlines()}

    def password(self) -> str:
        return self.kubectl("get", "secret", "auth-db-credentials", "-o", "jsonpath={.data.password}")

    def exists(self) -> bool:
        found = kubectl(self.cluster.kubeconfig, "get", "namespace", self.namespace, "--ignore-not-found", "-o", "name")
        return bool(found.strip())


@contextmanager
def deployed(cluster: SandboxStatus, folder: Path) -> Iterator[Site]:
    made = Site(cluster, folder)
    made.deploy()
    yield made
    kubectl(cluster.kubeconfig, "delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")
