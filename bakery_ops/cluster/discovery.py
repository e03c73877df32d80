"""Which path a kind lives under. Kinds of Kubernetes itself come from a table; only others cost a discovery request."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Reply, Transport
from bakery_ops.errors import OperationFailed
from bakery_ops.model.manifest import ObjectRef

# Aggregated discovery (Kubernetes 1.30, stable): every group in one answer. Older servers answer the plain form.
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


class Resource(NamedTuple):
    """One served kind: "apps", "v1", "deployments", in a namespace or not."""

    group: str
    version: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", *, api_version: str = "") -> str:
        """URL path of the collection, or of one object; every name is quoted."""
        version = api_version or self.api_version
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.namespaced and namespace else ""
        return f"{root}{place}/{self.plural}" + (f"/{quote(name, safe='')}" if name else "")


def _table() -> dict[tuple[str, str], Resource]:
    """(group, kind) -> Resource for the kinds that every supported server has (Kubernetes API reference 1.25-1.35)."""
    namespaced = {
        ("", "v1"): "Pod Service ConfigMap Secret ServiceAccount PersistentVolumeClaim Event LimitRange ResourceQuota "
        "ReplicationController PodTemplate",
        ("apps", "v1"): "Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision",
        ("batch", "v1"): "Job CronJob",
        ("networking.k8s.io", "v1"): "Ingress",
        ("policy", "v1"): "PodDisruptionBudget",
        ("rbac.authorization.k8s.io", "v1"): "Role RoleBinding",
        ("autoscaling", "v2"): "HorizontalPodAutoscaler",
        ("coordination.k8s.io", "v1"): "Lease",
        ("discovery.k8s.io", "v1"): "EndpointSlice",
    }
    cluster_scoped = {
        ("", "v1"): "Namespace Node PersistentVolume",
        ("rbac.authorization.k8s.io", "v1"): "ClusterRole ClusterRoleBinding",
        ("storage.k8s.io", "v1"): "VolumeAttachment CSIDriver CSINode",
        ("scheduling.k8s.io", "v1"): "",
        ("apiextensions.k8s.io", "v1"): "CustomResourceDefinition",
        ("apiregistration.k8s.io", "v1"): "APIService",
        ("admissionregistration.k8s.io", "v1"): "ValidatingWebhookConfiguration MutatingWebhookConfiguration",
    }
    irregular = [
        ("", "v1", "Endpoints", "endpoints", True),
        ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", True),
        ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", False),
        ("storage.k8s.io", "v1", "StorageClass", "storageclasses", False),
        ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", False),
        ("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", False),
    ]
    table = {
        (group, kind): Resource(group, version, plural, scope) for group, version, kind, plural, scope in irregular
    }
    for kinds, scope in ((namespaced, True), (cluster_scoped, False)):
        for (group, version), names in kinds.items():
            for kind in names.split():
                table[group, kind] = Resource(group, version, _plural(kind), scope)
    return table


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower}es" if lower.endswith("ss") else f"{lower}s"


BUILT_IN: Mapping[tuple[str, str], Resource] = _table()


def built_in(kind: str) -> Resource | None:
    """The Resource of a kind of Kubernetes itself, by its name alone."""
    return next((resource for (_, known), resource in BUILT_IN.items() if known == kind), None)


class _ResponseKind(msgspec.Struct):
    kind: str = ""


class _DiscoveredResource(msgspec.Struct, rename="camel"):
    resource: str
    response_kind: _ResponseKind = msgspec.field(default_factory=_ResponseKind)
    scope: str = "Namespaced"


class _DiscoveredVersion(msgspec.Struct, rename="camel"):
    version: str
    resources: list[_DiscoveredResource] = []
    freshness: str = "Current"


class _DiscoveredName(msgspec.Struct):
    name: str = ""


class _DiscoveredGroup(msgspec.Struct, rename="camel"):
    metadata: _DiscoveredName = msgspec.field(default_factory=_DiscoveredName)
    versions: list[_DiscoveredVersion] = []


class _Aggregated(msgspec.Struct, rename="camel"):
    kind: str
    items: list[_DiscoveredGroup] = []


class _PlainVersion(msgspec.Struct, rename="camel"):
    group_version: str


class _PlainGroup(msgspec.Struct, rename="camel"):
    name: str
    versions: list[_PlainVersion] = []


class _PlainGroups(msgspec.Struct, rename="camel"):
    groups: list[_PlainGroup] = []


class _PlainResource(msgspec.Struct, rename="camel"):
    name: str
    kind: str
    namespaced: bool = False


class _PlainResources(msgspec.Struct, rename="camel"):
    resources: list[_PlainResource] | None = None  # a group without kinds says null


class Discovery:
    """Finds Resources, asking the server only for kinds that are not Kubernetes' own. Thread-safe.

    A kind that is not served is asked for again on the next call: its CRD may have been created meanwhile.
    """

    def __init__(self, transport: Transport, retrier: Retrier) -> None:
        self._transport, self._retrier = transport, retrier
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Resource] = dict(BUILT_IN)
        self.stale: tuple[str, ...] = ()

    def find(self, group: str, kind: str) -> Resource | None:
        """The Resource at its preferred version, or None when the server does not serve the kind.

        Raises: ClusterUnreachable.
        """
        known = self._found.get((group, kind))
        if known is None and group:
            with self._lock:
                known = self._found.get((group, kind))
                if known is None:
                    self._refresh({group})
                    known = self._found.get((group, kind))
        return known

    def served(self, refs: Iterable[ObjectRef]) -> Mapping[tuple[str, str], bool]:
        """(group, kind) -> whether it is served; all unknown kinds in one discovery request."""
        wanted = {(ref.group, ref.kind) for ref in refs}
        unknown = {group for group, kind in wanted if group and (group, kind) not in self._found}
        if unknown:
            with self._lock:
                self._refresh(unknown)
        return {pair: pair in self._found for pair in sorted(wanted)}

    def namespaced(self) -> tuple[tuple[str, Resource], ...]:
        """(kind, Resource) of every kind that lives in namespaces, Kubernetes' own and all others.

        Raises: OperationFailed: the server does not tell all of them. ClusterUnreachable.
        """
        with self._lock:
            if not self._refresh(None) or self.stale:
                raise _not_told(self.stale)
        return tuple((kind, resource) for (_, kind), resource in self._found.items() if resource.namespaced)

    def _refresh(self, groups: set[str] | None) -> bool:
        """Learn the kinds of `groups` (None: of all); whether the server told them."""
        reply = self._retrier.call(lambda: self._transport.send("discovery", "GET", "/apis", accept=_AGGREGATED))
        if 300 <= reply.status < 400:
            raise _not_told()
        if reply.status != 200:
            return False
        try:
            answer = msgspec.json.decode(reply.body, type=_Aggregated)
            if answer.kind == "APIGroupDiscoveryList":
                self._take_aggregated(answer)
            else:
                self._take_plain(msgspec.json.decode(reply.body, type=_PlainGroups), groups)
        except msgspec.DecodeError as error:  # a login page of a proxy, for example
            raise _not_told() from error
        return True

    def _take_aggregated(self, answer: _Aggregated) -> None:
        stale = []
        for group in answer.items:
            name = group.metadata.name
            for version in group.versions:  # the preferred version comes first
                if version.freshness != "Current":
                    stale.append(f"{name}/{version.version}")
                for item in version.resources:
                    resource = Resource(name, version.version, item.resource, item.scope == "Namespaced")
                    self._found.setdefault((name, item.response_kind.kind), resource)
        self.stale = tuple(stale)

    def _take_plain(self, answer: _PlainGroups, groups: set[str] | None) -> None:
        self.stale = ()
        for group in answer.groups:
            for version in group.versions if groups is None or group.name in groups else ():
                path = f"/apis/{version.group_version}"
                reply = self._retrier.call(partial(self._transport.send, "discovery", "GET", path))
                found = _plain_resources(reply)
                if found is None:
                    self.stale = (*self.stale, version.group_version)
                    continue  # a broken aggregated API must not hide the other groups (F27)
                for item in found:
                    if "/" not in item.name:
                        name = version.group_version.rpartition("/")[2]
                        self._found.setdefault(
                            (group.name, item.kind), Resource(group.name, name, item.name, item.namespaced)
                        )


def _plain_resources(reply: Reply) -> list[_PlainResource] | None:
    """What a version's own list says, None where it is none."""
    if reply.status != 200:
        return None
    try:
        return msgspec.json.decode(reply.body, type=_PlainResources).resources or []
    except msgspec.DecodeError:
        return None


def _not_told(stale: tuple[str, ...] = ()) -> OperationFailed:
    return OperationFailed("The API server does not tell which kinds it serves.", details=stale)
