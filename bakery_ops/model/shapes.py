"""The shape of what our own code reads of a body: a list where a mapping belongs is a named mistake, not a crash.

The full schemas are checked by `rules.schema`; this table holds only the paths that rules and the graph walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bakery_ops.model.kinds import group_of, is_custom

Shape = type | tuple[type, ...] | dict[str, Any] | list[Any]
"""A type (or several), a mapping of some keys' shapes ("*" for every key), or a list of one shape. Null is fine."""

_TEXTS: Final[dict[str, Any]] = {"*": str}
_METADATA: Final[dict[str, Any]] = {"labels": _TEXTS, "annotations": _TEXTS}
_NAMED: Final[dict[str, Any]] = {"name": str}
_NUMBER: Final = (int, float)
_QUANTITY: Final = (str, int, float)
_EXPRESSIONS: Final[list[Any]] = [{"key": str, "operator": str, "values": [str]}]
_SELECTOR: Final[dict[str, Any]] = {"matchLabels": _TEXTS, "matchExpressions": _EXPRESSIONS}
_TERM: Final[dict[str, Any]] = {"labelSelector": _SELECTOR, "topologyKey": str, "namespaces": [str]}
_RESOURCES: Final[dict[str, Any]] = {"requests": {"*": _QUANTITY}, "limits": {"*": _QUANTITY}}
_KEY: Final[dict[str, Any]] = {"name": str, "key": str, "optional": bool}
_ITEMS: Final[list[Any]] = [{"key": str, "path": str}]
_PROBE: Final[dict[str, Any]] = {
    "httpGet": {"path": str, "port": (str, int), "host": str},
    "tcpSocket": {"port": (str, int), "host": str},
    "exec": {"command": [str]},
}
_CONTAINER: Final[dict[str, Any]] = {
    "name": str,
    "image": str,
    "command": [str],
    "args": [str],
    "restartPolicy": str,
    "env": [
        {
            "name": str,
            "value": str,
            "valueFrom": {"configMapKeyRef": _KEY, "secretKeyRef": _KEY, "fieldRef": {"fieldPath": str}},
        }
    ],
    "envFrom": [{"configMapRef": _NAMED, "secretRef": _NAMED}],
    "ports": [{"name": str, "containerPort": int, "hostPort": int, "protocol": str}],
    "resources": _RESOURCES,
    "volumeMounts": [{"name": str, "mountPath": str, "subPath": str}],
    "securityContext": {"capabilities": {"add": [str], "drop": [str]}, "seccompProfile": {"type": str}},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "lifecycle": {"postStart": _PROBE, "preStop": _PROBE},
}
_PROJECTED: Final[dict[str, Any]] = {
    "sources": [{"configMap": {"name": str, "items": _ITEMS}, "secret": {"name": str, "items": _ITEMS}}]
}
_POD: Final[dict[str, Any]] = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "serviceAccountName": str,
    "priorityClassName": str,
    "runtimeClassName": str,
    "imagePullSecrets": [_NAMED],
    "nodeSelector": _TEXTS,
    "nodeName": str,
    "overhead": {"*": _QUANTITY},
    "resources": _RESOURCES,
    "tolerations": [{"key": str, "operator": str, "value": str, "effect": str}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": _EXPRESSIONS, "matchFields": _EXPRESSIONS}]
            }
        },
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_TERM]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [_TERM]},
    },
    "securityContext": {"seccompProfile": {"type": str}, "sysctls": [_NAMED]},
    "volumes": [
        {
            "name": str,
            "configMap": {"name": str, "optional": bool, "items": _ITEMS},
            "secret": {"secretName": str, "optional": bool, "items": _ITEMS},
            "persistentVolumeClaim": {"claimName": str},
            "projected": _PROJECTED,
            "emptyDir": {"medium": str, "sizeLimit": _QUANTITY},
            "hostPath": dict,
        }
    ],
}
_TEMPLATE: Final[dict[str, Any]] = {"metadata": _METADATA, "spec": _POD}
_CLAIM: Final[dict[str, Any]] = {"resources": _RESOURCES, "storageClassName": str, "volumeName": str}
_WORKLOAD: Final[dict[str, Any]] = {
    "replicas": int,
    "selector": _SELECTOR,
    "template": _TEMPLATE,
    "strategy": {"type": str, "rollingUpdate": {"maxSurge": (int, str), "maxUnavailable": (int, str)}},
    "updateStrategy": {"type": str, "rollingUpdate": {"maxSurge": (int, str), "maxUnavailable": (int, str)}},
    "serviceName": str,
    "volumeClaimTemplates": [{"metadata": _NAMED, "spec": _CLAIM}],
}
_JOB: Final[dict[str, Any]] = {
    "template": _TEMPLATE,
    "parallelism": int,
    "completions": int,
    "suspend": bool,
    "backoffLimit": int,
    "activeDeadlineSeconds": int,
    "ttlSecondsAfterFinished": int,
}
_BACKEND: Final[dict[str, Any]] = {"service": {"name": str, "port": {"name": str, "number": int}}}
_BEHIND: Final[dict[str, Any]] = {"name": str, "namespace": str}
_SUBJECTS: Final[list[Any]] = [{"kind": str, "name": str, "namespace": str}]

_KINDS: Final[Mapping[str, Shape]] = {
    "Pod": {"spec": _POD},
    "Deployment": {"spec": _WORKLOAD},
    "StatefulSet": {"spec": _WORKLOAD},
    "DaemonSet": {"spec": _WORKLOAD},
    "ReplicaSet": {"spec": _WORKLOAD},
    "ReplicationController": {"spec": {"replicas": int, "selector": _TEXTS, "template": _TEMPLATE}},
    "Job": {"spec": _JOB},
    "CronJob": {"spec": {"schedule": str, "suspend": bool, "jobTemplate": {"metadata": _METADATA, "spec": _JOB}}},
    "Service": {
        "spec": {
            "selector": _TEXTS,
            "type": str,
            "clusterIP": str,
            "ports": [{"name": str, "port": int, "targetPort": (int, str), "protocol": str}],
        }
    },
    "ConfigMap": {"data": _TEXTS, "binaryData": _TEXTS},
    "Secret": {"type": str, "data": dict, "stringData": _TEXTS},
    "PersistentVolumeClaim": {"spec": _CLAIM},
    "PriorityClass": {"value": int},
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": str, "kind": str, "name": str},
            "minReplicas": int,
            "maxReplicas": int,
        }
    },
    "PodDisruptionBudget": {"spec": {"selector": _SELECTOR, "minAvailable": (int, str), "maxUnavailable": (int, str)}},
    "NetworkPolicy": {"spec": {"podSelector": _SELECTOR, "policyTypes": [str]}},
    "Ingress": {
        "spec": {
            "ingressClassName": str,
            "defaultBackend": _BACKEND,
            "rules": [{"host": str, "http": {"paths": [{"path": str, "backend": _BACKEND}]}}],
            "tls": [{"hosts": [str], "secretName": str}],
        }
    },
    "RoleBinding": {"roleRef": {"kind": str, "name": str}, "subjects": _SUBJECTS},
    "ClusterRoleBinding": {"roleRef": {"kind": str, "name": str}, "subjects": _SUBJECTS},
    "LimitRange": {
        "spec": {"limits": [{"type": str, "default": {"*": _QUANTITY}, "defaultRequest": {"*": _QUANTITY}}]}
    },
    "ResourceQuota": {"spec": {"hard": {"*": _QUANTITY}}},
    "CustomResourceDefinition": {"spec": {"group": str, "names": {"kind": str}, "scope": str}},
    "ValidatingWebhookConfiguration": {"webhooks": [{"name": str, "clientConfig": {"service": _BEHIND}}]},
    "MutatingWebhookConfiguration": {"webhooks": [{"name": str, "clientConfig": {"service": _BEHIND}}]},
    "APIService": {"spec": {"service": _BEHIND}},
}


def misshapen(body: Mapping[str, Any]) -> Iterator[str]:
    """Paths of `body` with a shape Kubernetes could not take either: "spec.template.spec is not a mapping".

    Values are never quoted: they may be secret.
    """
    yield from _walk(body, {"metadata": _METADATA, "spec": dict} | _shape_of(body), "")


def _shape_of(body: Mapping[str, Any]) -> dict[str, Any]:
    # A custom resource may reuse a kind's name with a shape of its own.
    shape = _KINDS.get(body["kind"])
    if isinstance(shape, dict) and not is_custom(group_of(body["apiVersion"])):
        return shape
    return {"spec": object}


def _walk(value: Any, shape: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            yield f"{path} is not a mapping"
            return
        every = shape.get("*")
        for key, inner in value.items() if every else shape.items():
            if every:
                yield from _walk(inner, every, f"{path}.{key}".lstrip("."))
            elif key in value:
                yield from _walk(value[key], inner, f"{path}.{key}".lstrip("."))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path} is not a list"
            return
        for position, item in enumerate(value):
            if item is None:
                yield f"{path}[{position}] is empty"
            else:
                yield from _walk(item, shape[0], f"{path}[{position}]")
    elif not isinstance(value, shape) or (isinstance(value, bool) and shape not in (bool, object)):
        yield f"{path} is not {_ARTICLES.get(shape, 'of the right type')}"


_ARTICLES: Final[Mapping[Any, str]] = {
    str: "a text; put it in quotes",
    int: "a whole number",
    bool: "true or false",
    dict: "a mapping",
    _QUANTITY: "a quantity",
    (int, str): "a number or a text",
    (str, int): "a number or a text",
    _NUMBER: "a number",
}
