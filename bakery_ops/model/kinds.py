"""Which kinds live in a namespace and which belong to the whole cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CLUSTER_SCOPED = frozenset(
    {
        ("", "ComponentStatus"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "PersistentVolume"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("apiregistration.k8s.io", "APIService"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"),
        ("networking.k8s.io", "IPAddress"),
        ("networking.k8s.io", "IngressClass"),
        ("networking.k8s.io", "ServiceCIDR"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodSecurityPolicy"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("resource.k8s.io", "DeviceClass"),
        ("resource.k8s.io", "ResourceSlice"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        ("cert-manager.io", "ClusterIssuer"),
        ("external-secrets.io", "ClusterSecretStore"),
        ("external-secrets.io", "ClusterExternalSecret"),
        ("gateway.networking.k8s.io", "GatewayClass"),
        ("kyverno.io", "ClusterPolicy"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass"),
        ("snapshot.storage.k8s.io", "VolumeSnapshotContent"),
    }
)


def group_of(api_version: str) -> str:
    """ "apps" of "apps/v1"; "" (the core group) of "v1"."""
    return api_version.rpartition("/")[0]


def is_custom(group: str) -> bool:
    """Whether an API group is none of Kubernetes' own."""
    return "." in group and not group.endswith(".k8s.io")


class Scopes:
    """Answers whether a kind is namespaced: built-in kinds by table, custom ones by the CRDs among `bodies`."""

    def __init__(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        self._defined: dict[tuple[str, str], bool] = {}
        for body in bodies:
            if body.get("kind") != "CustomResourceDefinition":
                continue
            spec = body.get("spec")
            if isinstance(spec, dict) and isinstance(names := spec.get("names"), dict):
                self._defined[str(spec.get("group")), str(names.get("kind"))] = spec.get("scope") != "Cluster"

    def is_namespaced(self, group: str, kind: str) -> bool:
        """An unknown kind counts as namespaced, which most are; the server's discovery corrects it before an apply."""
        return self._defined.get((group, kind), (group, kind) not in CLUSTER_SCOPED)
