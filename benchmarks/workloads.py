"""The sets of objects that every tool deploys, written as files to a folder of their own."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml


class Workload(NamedTuple):
    """A set on disk: its folder, its namespace, and what is in it as `resource/name`."""

    folder: Path
    namespace: str
    names: frozenset[str]

    @property
    def deployments(self) -> frozenset[str]:
        """Names of its Deployments."""
        return frozenset(name.partition("/")[2] for name in self.names if name.startswith("deployments/"))


def write(folder: Path, namespace: str, each: int = 50) -> Workload:
    """`each` of ConfigMap, Secret, ServiceAccount, Service and Deployment (design: 50, so 250 objects)."""
    documents = [document for number in range(each) for document in _application(f"app-{number:03}", namespace)]
    folder.mkdir(parents=True)
    text = yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False)
    (folder / "objects.yaml").write_text(text)
    return Workload(folder, namespace, names_of(documents))


def names_of(documents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """`resource/name` of each, as the API server's audit log calls them."""
    return frozenset(f"{_resource(one['kind'])}/{one['metadata']['name']}" for one in documents)


def _resource(kind: str) -> str:
    lower = kind.lower()
    if lower.endswith("y"):
        return f"{lower.removesuffix('y')}ies"
    return f"{lower}es" if lower.endswith("s") else f"{lower}s"


def _application(name: str, namespace: str) -> Iterator[Mapping[str, Any]]:
    labels = {"app": name}

    def document(kind: str, version: str = "v1", **rest: Any) -> Mapping[str, Any]:
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}

    yield document("ConfigMap", data={f"SETTING_{number}": f"value {number} of {name}" for number in range(20)})
    # Not `stringData`: the server rewrites it, so some tools would see a change where there is none.
    password = base64.b64encode(f"not-a-secret-of-{name}".encode()).decode()
    yield document("Secret", type="Opaque", data={"password": password})
    yield document("ServiceAccount", automountServiceAccountToken=False)
    yield document("Service", spec={"selector": labels, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]})
    yield document("Deployment", "apps/v1", spec=_specification(name, labels))


def _specification(name: str, labels: Mapping[str, str]) -> Mapping[str, Any]:
    resources = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "100m", "memory": "32Mi"}}
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "name": "app",
        "image": f"example.invalid/{name}:1.0.0",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": name}}, {"secretRef": {"name": name}}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2},
        "resources": resources,
        "securityContext": security,
    }
    pod = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
