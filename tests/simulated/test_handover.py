"""F50 on a real API server: an autoscaler comes, the number leaves the render, and no pod goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.commands import deploy_document, invoke, kubectl

LABELS = {"app": "web"}
TARGET = {"type": "Utilization", "averageUtilization": 80}
SCALER: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": TARGET}}],
    },
}


def deployment(**spec: Any) -> dict[str, Any]:
    requests = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}}
    container = {"name": "web", "image": "bakery/web:1", "resources": requests}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": LABELS}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def write(folder: Path, *objects: dict[str, Any]) -> None:
    (folder / "all.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def test_an_autoscaler_takes_over_as_many_pods_as_there_are(simulated_cluster: SandboxStatus, tmp_path: Path) -> None:
    namespace = "handover"
    words = ("--overlay", str(tmp_path), "--namespace", namespace, "--context", simulated_cluster.context)

    def seen(*query: str) -> str:
        return kubectl(simulated_cluster.kubeconfig, "--namespace", namespace, "get", *query)

    write(tmp_path, deployment(replicas=3))
    assert deploy_document(*words)[0] == 0
    pods = seen("pods", "--output", "name")
    assert len(pods.split()) == 3

    write(tmp_path, deployment(), SCALER)
    planned = invoke("deploy.plan", *words)
    assert "replicas" not in planned.stdout
    assert deploy_document(*words)[0] == 0
    assert seen("deployment", "web", "--output", "jsonpath={.spec.replicas}") == "3"
    assert seen("pods", "--output", "name") == pods

    assert "apply" not in deploy_document(*words)[1]["requestsByKind"]
    kubectl(simulated_cluster.kubeconfig, "delete", "namespace", namespace, "--wait=false")
