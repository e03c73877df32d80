"""What the cluster offers from its first minute: a StorageClass, names (CoreDNS), measurements (metrics-server)."""

from __future__ import annotations

import base64
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


def ingress_class() -> Document:
    """`traefik`, the class that k3s has: prod is rehearsed on simulated nodes, and nobody has to serve it there."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "traefik"},
        "spec": {"controller": "bakery-ia.dev/simulated-ingress"},
    }


_COREFILE = """\
cluster.local:53 in-addr.arpa:53 {
  errors
  health :8080
  ready :8181
  kubernetes cluster.local in-addr.arpa {
    pods insecure
  }
  cache 5
  loadbalance
}
.:53 {
  template ANY ANY {
    rcode NXDOMAIN
  }
}
"""
"""Two blocks: in one, `template` would answer before `kubernetes`. The second ends what cannot be resolved at once."""

_SYSTEM = "kube-system"
_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_AS_NOBODY = {
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "seccompProfile": {"type": "RuntimeDefault"},
    # Policies name port 53, which is judged after the Service's address is rewritten: the pod itself must listen there.
    "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
}


def names(image: str, *, node: str, address: str) -> list[Document]:
    """CoreDNS on `node` at the Service address `address`, from the image that holds kubenode."""
    container = {
        "name": "coredns",
        "image": image,
        "command": ["/kubenode", "coredns", "-conf", "/etc/coredns/Corefile"],
        "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "configuration", "mountPath": "/etc/coredns"}],
    }
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    return [
        _account("coredns"),
        _cluster_role("system:coredns", rules),
        _binding("system:coredns", "system:coredns", "coredns"),
        _namespaced("v1", "ConfigMap", "coredns", data={"Corefile": _COREFILE}),
        _deployment(
            "coredns", "kube-dns", container, [{"name": "configuration", "configMap": {"name": "coredns"}}], node=node
        ),
        _namespaced(
            "v1",
            "Service",
            "kube-dns",
            spec={"clusterIP": address, "selector": {"k8s-app": "kube-dns"}, "ports": ports},
        ),
    ]


def measurements(image: str, *, node: str) -> list[Document]:
    """metrics-server on `node`, measuring real nodes only; `kubectl top` works some 30 s after its start."""
    container = {
        "name": "metrics-server",
        "image": image,
        "command": [
            "/kubenode",
            "metrics-server",
            "--secure-port=10250",
            "--kubelet-insecure-tls",
            "--kubelet-use-node-status-port",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=15s",
            "--cert-dir=/tmp",
            "--node-selector=!bakery-ia.dev/simulated",
        ],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 10250, "scheme": "HTTPS"}, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "certificate", "mountPath": "/tmp"}],  # noqa: S108 - a path in the container
    }
    rules = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["get", "list", "watch"]},
    ]
    reader = _namespaced("rbac.authorization.k8s.io/v1", "RoleBinding", "metrics-server-auth-reader")
    reader["roleRef"] = _role("Role", "extension-apiserver-authentication-reader")
    reader["subjects"] = _subjects("metrics-server")
    return [
        _account("metrics-server"),
        _cluster_role("system:metrics-server", rules),
        _binding("system:metrics-server", "system:metrics-server", "metrics-server"),
        _binding("metrics-server:system:auth-delegator", "system:auth-delegator", "metrics-server"),
        reader,
        _deployment(
            "metrics-server", "metrics-server", container, [{"name": "certificate", "emptyDir": {}}], node=node
        ),
        _namespaced(
            "v1",
            "Service",
            "metrics-server",
            spec={"selector": {"k8s-app": "metrics-server"}, "ports": [{"port": 443, "targetPort": 10250}]},
        ),
        metrics_api(),
    ]


def outside_measurements(port: int, authority: bytes) -> list[Document]:
    """The metrics API of a cluster without containers: a program beside the API server, on `port` of loopback.

    `authority`: the PEM certificate that signed the program's own.
    """
    document = metrics_api()
    del document["spec"]["insecureSkipTLSVerify"]
    document["spec"]["caBundle"] = base64.b64encode(authority).decode("ascii")
    document["spec"]["service"]["port"] = port
    outside = {"type": "ExternalName", "externalName": "127.0.0.1", "ports": [{"port": port}]}
    return [_namespaced("v1", "Service", "metrics-server", spec=outside), document]


def metrics_api() -> Document:
    """The aggregated API behind `kubectl top` and HorizontalPodAutoscalers."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "metrics-server", "namespace": _SYSTEM},
        },
    }


def _namespaced(version: str, kind: str, name: str, **parts: Any) -> Document:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": _SYSTEM}, **parts}


def _account(name: str) -> Document:
    return _namespaced("v1", "ServiceAccount", name)


def _role(kind: str, name: str) -> Document:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}


def _subjects(account: str) -> list[Document]:
    return [{"kind": "ServiceAccount", "name": account, "namespace": _SYSTEM}]


def _cluster_role(name: str, rules: list[Document]) -> Document:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }


def _binding(name: str, role: str, account: str) -> Document:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": _role("ClusterRole", role),
        "subjects": _subjects(account),
    }


def _deployment(name: str, label: str, container: Document, volumes: list[Document], *, node: str) -> Document:
    """`label` is the value of `k8s-app`, by which NetworkPolicies everywhere find these two."""
    labels = {"k8s-app": label}
    pod = {
        "serviceAccountName": name,
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/hostname": node},
        "securityContext": _AS_NOBODY,
        "containers": [container],
        "volumes": volumes,
    }
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return _namespaced("apps/v1", "Deployment", name, spec=spec)
