"""What the cluster offers from its first minute: a default StorageClass, names (CoreDNS), measurements (metrics-server)."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

STORAGE_CLASS = "local-path"
PROVISIONER = "bakery-ia.dev/local-path"


def storage_class() -> Document:
    """`local-path`, the default class, as on k3s and Colima: a volume is made once its pod has a node."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": False,
    }
