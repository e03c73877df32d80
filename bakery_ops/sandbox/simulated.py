"""Simulated nodes: Node objects of any size whose kubelet is KWOK; the scheduler and every controller are real."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bakery_ops.sandbox import addons, failures, flags, stages
from bakery_ops.sandbox.api import Api
from bakery_ops.sandbox.controlplane import ControlPlane, free_ports
from bakery_ops.sandbox.daemons import Daemons
from bakery_ops.sandbox.sizes import NodeSize

_LOG_LINE = "1970-01-01T00:00:00Z stdout F this container is simulated and writes no log\n"
_PODS_PER_NODE = 250
_INSIDE_PORT = 10450


def node_name(number: int) -> str:
    """`simulated-1` is the first."""
    return f"simulated-{number}"


def node_document(number: int, size: NodeSize, *, tainted: bool) -> dict[str, Any]:
    """A Node with its capacity. `tainted`: a real node is there too, so only pods that tolerate it may come here."""
    name = node_name(number)
    amount = {
        "cpu": f"{size.cpu_milli}m",
        "memory": str(size.memory),
        "pods": str(_PODS_PER_NODE),
        "ephemeral-storage": "200Gi",
    }
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        stages.NODE_TAINT: "true",
    }
    taints = [{"key": stages.NODE_TAINT, "value": "true", "effect": "NoSchedule"}] if tainted else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {stages.NODE_ANNOTATION: "fake"}},
        "spec": {"taints": taints} if taints else {},
        "status": {"capacity": amount, "allocatable": amount},
    }


def write_stages(path: Path) -> None:
    """Write KWOK's configuration: its parallelism, every stage, and what `kubectl logs` shows."""
    # KWOK fills in no defaults for a configuration that sets only some of these, and refuses to start on a zero.
    options = {
        "podPlayStageParallelism": 16,
        "nodePlayStageParallelism": 4,
        "nodeLeaseParallelism": 4,
        "podsOnNodeSyncParallelism": 4,
        "enableDebuggingHandlers": True,
    }
    log = path.with_name("simulated.log")
    log.write_text(_LOG_LINE)
    documents = [
        {"apiVersion": "config.kwok.x-k8s.io/v1alpha1", "kind": "KwokConfiguration", "options": options},
        *stages.node_stages(),
        *stages.pod_stages(),
        *failures.failure_stages(),
        {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "ClusterLogs",
            "metadata": {"name": "simulated"},
            "spec": {"logs": [{"logsFile": str(log), "previousLogsFile": str(log), "follow": False}]},
        },
    ]
    path.write_text("---\n".join(json.dumps(document, indent=1) + "\n" for document in documents))


def start(
    plane: ControlPlane,
    daemons: Daemons,
    api: Api,
    nodes: Sequence[NodeSize],
    *,
    tainted: bool,
    say: Callable[[str], None],
) -> None:
    """Create the nodes, start KWOK, and return when every node is ready.

    `tainted`: a real node is there too; it has names and measurements of its own, and ordinary pods go there.

    Raises: OperationFailed when KWOK dies; TimedOut when a node is not ready within 30 s.
    """
    place, kubeconfig = plane.instance, plane.kubeconfig_of("simulator")
    stages_file = place.directory / "stages.yaml"
    write_stages(stages_file)
    documents = [node_document(number, size, tainted=tainted) for number, size in enumerate(nodes, start=1)]
    api.apply({key: part for key, part in document.items() if key != "status"} for document in documents)
    for document in documents:
        api.patch_status(document)
    logs_port, metrics_port = (_INSIDE_PORT, 0) if plane.inside else free_ports(2)
    argv = flags.simulator(kubeconfig, stages_file, place.pki, port=logs_port)
    daemons.start("kwok", [*plane.inside, plane.program, *argv])
    if not tainted:
        argv = flags.simulated_metrics(kubeconfig, place.pki, port=metrics_port)
        daemons.start("simulated-metrics", [*plane.inside, plane.program, *argv])
        api.apply(addons.outside_measurements(metrics_port, (place.pki / "ca.crt").read_bytes()))
    wait_nodes_ready(api, daemons, [document["metadata"]["name"] for document in documents], within=30.0)
    say(f"{len(documents)} simulated node{'s' * (len(documents) > 1)} ready: {'; '.join(map(str, nodes))}")


def wait_nodes_ready(api: Api, daemons: Daemons, names: Sequence[str], *, within: float) -> None:
    """Return when all nodes called `names` are Ready and free of the taint a new node carries."""
    for name in names:
        path = f"/api/v1/nodes/{name}"
        api.until(path, is_ready, within=within, waiting_for=f"node {name} to be ready", alive=daemons.require_running)


def is_ready(node: dict[str, Any]) -> bool:
    """Whether pods can be scheduled to a node: Ready, and the not-ready taint taken off."""
    conditions = node.get("status", {}).get("conditions", [])
    taints = node.get("spec", {}).get("taints", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not any(taint["key"] == "node.kubernetes.io/not-ready" for taint in taints)
