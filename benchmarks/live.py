"""Live objects as an API server sends them: 50 Deployments of 20 ready pods each, as lists and as a watch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMESPACE = "live"
NOW = 1_767_261_600.0  # 2026-01-01T10:00:00Z, an hour after everything became ready
DEPLOYMENTS, PODS_EACH = 50, 20
KINDS = {"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "Pod": "v1"}
_THEN = "2026-01-01T09:00:00Z"
_LABELS = {"app.kubernetes.io/part-of": "bakery"}


def manifests() -> str:
    """The Deployments as YAML (JSON is YAML)."""
    documents = []
    for number in range(DEPLOYMENTS):
        one = _deployment(number)
        kept = {key: value for key, value in one["metadata"].items() if key in ("name", "namespace", "labels")}
        documents.append({**one, "metadata": kept})
    return "---\n".join(
        json.dumps({key: value for key, value in one.items() if key != "status"}) + "\n" for one in documents
    )


def write(folder: Path) -> None:
    """One file a kind, each the body of a LIST."""
    items: dict[str, list[Mapping[str, Any]]] = {kind: [] for kind in KINDS}
    for number in range(DEPLOYMENTS):
        items["Deployment"].append(_deployment(number))
        items["ReplicaSet"].append(_replica_set(number))
        items["Pod"] += [_pod(number, index) for index in range(PODS_EACH)]
    for kind, version in KINDS.items():
        body = {
            "apiVersion": version,
            "kind": f"{kind}List",
            "metadata": {"resourceVersion": "9000"},
            "items": items[kind],
        }
        (folder / f"{kind}.json").write_text(json.dumps(body))


def read(folder: Path, kind: str) -> bytes:
    return (folder / f"{kind}.json").read_bytes()


def watch_lines(folder: Path, count: int) -> list[bytes]:
    """`count` MODIFIED events of the pods, each with a resourceVersion of its own."""
    pods = json.loads(read(folder, "Pod"))["items"]
    lines = []
    for number in range(count):
        pod = pods[number % len(pods)]
        metadata = {**pod["metadata"], "resourceVersion": str(10_000 + number)}
        changed = {"apiVersion": "v1", "kind": "Pod", **pod, "metadata": metadata}
        lines.append(json.dumps({"type": "MODIFIED", "object": changed}).encode())
    return lines


def _metadata(name: str, uid: str, owner: tuple[str, str, str] | None = None, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": NAMESPACE,
        "uid": uid,
        "resourceVersion": "4711",
        "generation": 1,
        "creationTimestamp": _THEN,
        "labels": {**_LABELS, **labels},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "managedFields": [
            {
                "manager": "kubelet",
                "operation": "Update",
                "apiVersion": "v1",
                "time": _THEN,
                "fieldsType": "FieldsV1",
                "fieldsV1": {"f:status": {"f:conditions": {'k:{"type":"Ready"}': {".": {}, "f:status": {}}}}},
            }
        ],
    }  # fmt: skip
    if owner is not None:
        kind, owner_name, owner_uid = owner
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "uid": owner_uid, "controller": True}
        ]
    return metadata


def _deployment(number: int) -> dict[str, Any]:
    name, count = f"app-{number:03}", PODS_EACH
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, f"deployment-{number}"),
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod_spec(name)},
        },
        "status": {
            "observedGeneration": 1, "replicas": count, "updatedReplicas": count, "readyReplicas": count,
            "availableReplicas": count,
            "conditions": [_condition("Available", "MinimumReplicas"), _condition("Progressing", "NewReplicaSet")],
        },
    }  # fmt: skip


def _replica_set(number: int) -> dict[str, Any]:
    name, count = f"app-{number:03}", PODS_EACH
    labels = {"app": name, "pod-template-hash": "5d9f7c5b8"}
    counts = ("replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    return {
        "metadata": _metadata(
            f"{name}-5d9f7c5b8", f"replicaset-{number}", ("Deployment", name, f"deployment-{number}"), **labels
        ),
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": _pod_spec(name)},
        },
        "status": {"observedGeneration": 1, **dict.fromkeys(counts, count)},
    }


def _pod(number: int, index: int) -> dict[str, Any]:
    name = f"app-{number:03}"
    labels = {"app": name, "pod-template-hash": "5d9f7c5b8"}
    owner = ("ReplicaSet", f"{name}-5d9f7c5b8", f"replicaset-{number}")
    status = {
        "name": "app",
        "image": f"example.invalid/{name}:1.0.0",
        "imageID": "sha256:0f4f3c1e",
        "containerID": f"containerd://{number:04}{index:04}",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "lastState": {},
        "state": {"running": {"startedAt": _THEN}},
    }
    return {
        "metadata": _metadata(f"{name}-5d9f7c5b8-x{index:04}", f"pod-{number}-{index}", owner, **labels),
        "spec": {**_pod_spec(name), "nodeName": "node-1"},
        "status": {
            "phase": "Running",
            "hostIP": "10.0.0.1",
            "podIP": "10.1.0.1",
            "startTime": _THEN,
            "conditions": [
                _condition(kind, "") for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "containerStatuses": [status],
        },
    }


def _condition(kind: str, reason: str) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": reason, "lastUpdateTime": _THEN, "lastTransitionTime": _THEN}


def _pod_spec(name: str) -> dict[str, Any]:
    probe = {"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}, "periodSeconds": 5, "failureThreshold": 3}
    container = {
        "name": "app",
        "image": f"example.invalid/{name}:1.0.0",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{number}", "value": "x"} for number in range(15)],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    return {"containers": [container], "restartPolicy": "Always", "volumes": [{"name": "tmp", "emptyDir": {}}]}
