"""Objects as a real API server writes them, for tests that decode."""

from __future__ import annotations

from typing import Any

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "orders-service-6d9f7c5b8-x2x1q",
        "generateName": "orders-service-6d9f7c5b8-",
        "namespace": "bakery-ia",
        "uid": "6f4f3c1e-0000-4000-8000-000000000001",
        "resourceVersion": "4711",
        "creationTimestamp": "2026-01-01T10:00:00Z",
        "labels": {"app.kubernetes.io/name": "orders", "pod-template-hash": "6d9f7c5b8"},
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "orders-service-6d9f7c5b8",
                "uid": "6f4f3c1e-0000-4000-8000-000000000002",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
        "managedFields": [
            {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"f:conditions": {".": {}}}}}
        ],
    },
    "spec": {
        "containers": [
            {
                "name": "app",
                "image": "bakery/orders-service:dev",
                "env": [{"name": f"SETTING_{number}", "value": "x"} for number in range(15)],
                "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
                "readinessProbe": {
                    "httpGet": {"path": "/health/ready", "port": "http", "scheme": "HTTP"},
                    "periodSeconds": 5,
                    "timeoutSeconds": 2,
                    "successThreshold": 1,
                    "failureThreshold": 3,
                },
            }
        ],
        "initContainers": [{"name": "wait-for-redis", "image": "bakery/orders-service:dev"}],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "orders-tls", "defaultMode": 288}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        ],
        "restartPolicy": "Always",
        "nodeName": "node-1",
    },
    "status": {
        "phase": "Running",
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": "2026-01-01T10:00:05Z",
                "reason": "ContainersNotReady",
                "message": "containers with unready status: [app]",
            }
        ],
        "initContainerStatuses": [
            {
                "name": "wait-for-redis",
                "ready": True,
                "started": False,
                "restartCount": 0,
                "image": "bakery/orders-service:dev",
                "imageID": "sha256:1",
                "state": {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": None, "finishedAt": None}},
                "lastState": {},
            }
        ],
        "containerStatuses": [
            {
                "name": "app",
                "ready": False,
                "started": False,
                "restartCount": 2,
                "image": "bakery/orders-service:dev",
                "imageID": "sha256:1",
                "state": {
                    "waiting": {
                        "reason": "CrashLoopBackOff",
                        "message": "back-off 20s restarting failed container=app pod=orders-service-6d9f7c5b8-x2x1q",
                    }
                },
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-01-01T10:00:04Z"}},
            }
        ],
        "startTime": "2026-01-01T10:00:00Z",
        "podIP": "10.0.0.7",
    },
}
