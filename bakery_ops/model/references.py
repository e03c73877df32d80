"""What an object refers to by name: read from the body, without asking whether it exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bakery_ops.model.kinds import group_of
from bakery_ops.model.manifest import Manifest, ObjectRef

RBAC = "rbac.authorization.k8s.io"


class Reference(NamedTuple):
    """One object named by another.

    Attributes:
        target: What is named.
        place: Where, for a finding: "container app: env DB_HOST".
        key: The one key that is used of a Secret or ConfigMap, or "" for the object as a whole.
        optional: Kubernetes goes on without it.
    """

    target: ObjectRef
    place: str
    key: str = ""
    optional: bool = False


def references(manifest: Manifest) -> Iterator[Reference]:
    """Everything `manifest` names that must exist before it can work; selectors are not names and not here."""
    if manifest.ref.is_workload:
        spec = manifest.pod_spec
        if spec:
            yield from pod_references(spec, manifest.ref.namespace)
    reader = _READERS.get((manifest.ref.group, manifest.ref.kind))
    if reader is not None:
        yield from reader(manifest)


def pod_references(spec: Mapping[str, Any], namespace: str) -> Iterator[Reference]:
    """What a pod spec in `namespace` names: configuration, claims, accounts, classes."""
    for container in containers(spec):
        yield from _of_container(container, namespace)
    for volume in listed(spec, "volumes"):
        for kind, name, key, optional in _volume(volume):
            yield from _core(namespace, kind, name, f"volume {volume.get('name')}", key, optional)
    for secret in listed(spec, "imagePullSecrets"):
        # The kubelet starts the pod without it; only a private image then fails to be pulled.
        yield from _core(namespace, "Secret", secret.get("name"), "imagePullSecrets", "", True)
    yield from _core(namespace, "ServiceAccount", spec.get("serviceAccountName"), "serviceAccountName")
    for field, group, kind in (
        ("priorityClassName", "scheduling.k8s.io", "PriorityClass"),
        ("runtimeClassName", "node.k8s.io", "RuntimeClass"),
    ):
        if name := spec.get(field):
            yield Reference(ObjectRef(group, kind, "", name), field)


def _of_container(container: Mapping[str, Any], namespace: str) -> Iterator[Reference]:
    place = f"container {container.get('name')}"
    for variable in listed(container, "env"):
        source = variable.get("valueFrom") or {}
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if chosen := source.get(field):
                where = f"{place}: env {variable.get('name')}"
                yield from _core(namespace, kind, chosen.get("name"), where, chosen.get("key"), chosen.get("optional"))
    for source in listed(container, "envFrom"):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if chosen := source.get(field):
                yield from _core(namespace, kind, chosen.get("name"), f"{place}: envFrom", "", chosen.get("optional"))


def _core(
    namespace: str, kind: str, name: str | None, place: str, key: str | None = "", optional: object = False
) -> Iterator[Reference]:
    if name:
        yield Reference(ObjectRef("", kind, namespace, name), place, key or "", bool(optional))


def containers(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Init containers, then the others."""
    yield from listed(spec, "initContainers")
    yield from listed(spec, "containers")


def listed(body: Mapping[str, Any], field: str) -> Iterable[Mapping[str, Any]]:
    """The items of an optional list of mappings."""
    return body.get(field) or ()


def _volume(volume: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, bool]]:
    """(kind, name, key, optional) of what a volume is filled from."""
    for source in (volume, *listed(volume.get("projected") or {}, "sources")):
        for field, kind, name_field in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "name" if source is not volume else "secretName"),
        ):
            chosen = source.get(field)
            if chosen:
                optional = bool(chosen.get("optional"))
                yield kind, chosen.get(name_field), "", optional
                for item in listed(chosen, "items"):
                    yield kind, chosen.get(name_field), item.get("key", ""), optional
    claim = volume.get("persistentVolumeClaim")
    if claim:
        yield "PersistentVolumeClaim", claim.get("claimName"), "", False


def _stateful_set(manifest: Manifest) -> Iterator[Reference]:
    if name := manifest.spec.get("serviceName"):
        yield Reference(ObjectRef("", "Service", manifest.ref.namespace, name), "serviceName")
    for claim in listed(manifest.spec, "volumeClaimTemplates"):
        yield from _storage_class(claim.get("spec") or {}, "volumeClaimTemplates")


def _claim(manifest: Manifest) -> Iterator[Reference]:
    yield from _storage_class(manifest.spec, "storageClassName")
    if name := manifest.spec.get("volumeName"):
        yield Reference(ObjectRef("", "PersistentVolume", "", name), "volumeName")


def _storage_class(spec: Mapping[str, Any], place: str) -> Iterator[Reference]:
    if name := spec.get("storageClassName"):
        yield Reference(ObjectRef("storage.k8s.io", "StorageClass", "", name), place)


def _autoscaler(manifest: Manifest) -> Iterator[Reference]:
    target = manifest.spec.get("scaleTargetRef") or {}
    if target.get("kind") and target.get("name"):
        group = group_of(target.get("apiVersion") or "")
        yield Reference(ObjectRef(group, target["kind"], manifest.ref.namespace, target["name"]), "scaleTargetRef")


def _ingress(manifest: Manifest) -> Iterator[Reference]:
    namespace = manifest.ref.namespace
    backends = [manifest.spec.get("defaultBackend") or {}]
    for rule in listed(manifest.spec, "rules"):
        backends += [path.get("backend") or {} for path in listed(rule.get("http") or {}, "paths")]
    for backend in backends:
        if name := (backend.get("service") or {}).get("name"):
            yield Reference(ObjectRef("", "Service", namespace, name), "backend")
    for tls in listed(manifest.spec, "tls"):
        if name := tls.get("secretName"):
            # Ingress controllers answer with a certificate of their own until it is there.
            yield Reference(ObjectRef("", "Secret", namespace, name), "tls")
    if name := manifest.spec.get("ingressClassName"):
        yield Reference(ObjectRef("networking.k8s.io", "IngressClass", "", name), "ingressClassName")


def _binding(manifest: Manifest) -> Iterator[Reference]:
    role = manifest.body.get("roleRef") or {}
    if role.get("kind") and role.get("name"):
        namespace = manifest.ref.namespace if role["kind"] == "Role" else ""
        yield Reference(ObjectRef(RBAC, role["kind"], namespace, role["name"]), "roleRef")
    for subject in listed(manifest.body, "subjects"):
        if subject.get("kind") == "ServiceAccount" and subject.get("name"):
            namespace = subject.get("namespace") or manifest.ref.namespace
            yield Reference(ObjectRef("", "ServiceAccount", namespace, subject["name"]), "subjects")


def _webhooks(manifest: Manifest) -> Iterator[Reference]:
    for webhook in listed(manifest.body, "webhooks"):
        yield from _service((webhook.get("clientConfig") or {}).get("service"), f"webhook {webhook.get('name')}")


def _api_service(manifest: Manifest) -> Iterator[Reference]:
    yield from _service(manifest.spec.get("service"), "service")


def _service(service: Mapping[str, Any] | None, place: str) -> Iterator[Reference]:
    if service and service.get("name"):
        yield Reference(ObjectRef("", "Service", service.get("namespace") or "default", service["name"]), place)


_READERS: Mapping[tuple[str, str], Callable[[Manifest], Iterator[Reference]]] = {
    ("apps", "StatefulSet"): _stateful_set,
    ("", "PersistentVolumeClaim"): _claim,
    ("autoscaling", "HorizontalPodAutoscaler"): _autoscaler,
    ("networking.k8s.io", "Ingress"): _ingress,
    (RBAC, "RoleBinding"): _binding,
    (RBAC, "ClusterRoleBinding"): _binding,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): _webhooks,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): _webhooks,
    ("apiregistration.k8s.io", "APIService"): _api_service,
}
