"""B19: five thousand objects of twenty megabytes, in bounded memory; and the one among them that is wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import ARGV, ROOT, kubectl

pytestmark = pytest.mark.timeout(600)

NAMESPACE = "large"
COUNT = 5000
PEAK = 400 * 2**20  # bytes: about ten times the render


def write(folder: Path, **changes: Any) -> None:
    """`changes`: of the ConfigMap in the middle."""
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"page-{number}"}, "data": {"text": "x" * 3800}}
        for number in range(COUNT)
    ]
    items[COUNT // 2] |= changes
    (folder / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def deploy(cluster: SandboxStatus, folder: Path) -> tuple[int, int, str]:
    """Exit code, peak memory in bytes, and all that was printed."""
    words = ("deploy", "--overlay", str(folder), "--namespace", NAMESPACE, "--context", cluster.context)
    output = folder.parent / "output"
    with output.open("wb") as file:
        actions = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        child = os.posix_spawn(ARGV[0], [*ARGV, *words], environment, file_actions=actions)
        _, status, used = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), used.ru_maxrss * 1024, output.read_text()


def test_five_thousand_objects_are_deployed_and_one_that_is_wrong_stops_them_all(
    simulated_cluster: SandboxStatus, tmp_path: Path
) -> None:
    folder = tmp_path / "overlay"
    folder.mkdir()
    write(folder, immutable="perhaps")
    code, _, said = deploy(simulated_cluster, folder)
    assert code == 4, said
    assert f"page-{COUNT // 2}" in said
    namespaces = kubectl(simulated_cluster.kubeconfig, "get", "namespaces", "--output", "name")
    assert f"namespace/{NAMESPACE}" not in namespaces.split()

    write(folder)
    code, peak, said = deploy(simulated_cluster, folder)
    assert code == 0, said
    assert f"{COUNT} applied" in said
    assert peak < PEAK

    code, peak, said = deploy(simulated_cluster, folder)
    assert code == 0, said
    assert f"0 applied, {COUNT} unchanged" in said
    assert peak < PEAK
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", NAMESPACE, "--wait=false")
