"""`invoke secrets` and `invoke tls` go where a deploy goes: any overlay, any namespace, with the same refusals."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import invoke, kubectl
from tests.simulated.small_site import PLATFORM


@pytest.fixture
def overlay(tmp_path: Path) -> tuple[Path, str]:
    """The small platform for a namespace that does not exist yet."""
    namespace = f"small-{uuid4().hex[:6]}"
    (tmp_path / "platform.yaml").write_text(PLATFORM.read_text().replace("NAMESPACE", namespace))
    return tmp_path, namespace


def test_secrets_of_another_overlay_are_made_in_its_namespace_and_found_there(
    simulated_cluster: SandboxStatus, overlay: tuple[Path, str]
) -> None:
    folder, namespace = overlay
    where = ("--overlay", str(folder), "--namespace", namespace, "--context", simulated_cluster.context)
    missing = invoke("secrets.check", *where)
    assert (missing.returncode, "1 missing" in missing.stdout) == (3, True), missing.stdout + missing.stderr

    made = invoke("secrets", *where)
    assert (made.returncode, f"namespace {namespace} created" in made.stderr) == (0, True), made.stderr
    there = kubectl(simulated_cluster.kubeconfig, "-n", namespace, "get", "secrets", "-o", "name")
    assert there.split() == ["secret/auth-db-credentials"]
    assert invoke("secrets.check", *where).returncode == 0
    nothing = invoke("tls.check", *where)
    assert (nothing.returncode, "refer to nothing that is made here" in nothing.stdout) == (0, True), nothing.stderr
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", namespace, "--wait=false")


@pytest.mark.parametrize("command", ["secrets", "secrets.check", "tls", "tls.check"])
def test_what_a_deploy_refuses_is_refused_before_anything_is_contacted(
    command: str, overlay: tuple[Path, str], simulated_cluster: SandboxStatus
) -> None:
    folder, _namespace = overlay
    nowhere = invoke(command, "--overlay", str(folder / "nowhere"), "--context", simulated_cluster.context)
    deployed = invoke("deploy", "--overlay", str(folder / "nowhere"), "--context", simulated_cluster.context)
    assert (nowhere.returncode, nowhere.stderr) == (64, deployed.stderr)
    other = ("--overlay", str(folder), "--namespace", "elsewhere", "--context", simulated_cluster.context)
    assert invoke(command, *other).returncode == invoke("deploy", *other).returncode != 0
    assert "elsewhere" not in kubectl(simulated_cluster.kubeconfig, "get", "namespaces", "-o", "name")
