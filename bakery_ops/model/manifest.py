"""One Kubernetes object as we intend it: its identity, its body, and where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from bakery_ops.model.kinds import is_custom

# Kinds that start containers; a node named after one of these goes by its bare name.
# A custom resource may go by such a kind too, in a group of its own.
_WORKLOADS = frozenset(
    {
        *(("apps", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
        *(("batch", kind) for kind in ("Job", "CronJob")),
        *(("", kind) for kind in ("ReplicationController", "Pod")),
    }
)

Body = Mapping[str, Any]


class ObjectRef(NamedTuple):
    """Which object: API group ("" is core), kind, namespace ("" is cluster-scoped) and name."""

    group: str
    kind: str
    namespace: str
    name: str

    @property
    def is_workload(self) -> bool:
        return self[:2] in _WORKLOADS

    @property
    def is_job(self) -> bool:
        return self[:2] == ("batch", "Job")

    @property
    def is_configuration(self) -> bool:
        """Whether containers take settings or files from it."""
        return self[:2] in (("", "ConfigMap"), ("", "Secret"))

    @property
    def is_custom(self) -> bool:
        """Whether the kind is none of Kubernetes' own."""
        return is_custom(self.group)

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A document of the render.

    Attributes:
        ref: Identity; `namespace` is filled in for namespaced kinds before anything is applied.
        api_version: As written: "v1", "apps/v1".
        body: The whole document as Kubernetes reads it.
        source: For errors: "k8s/base/redis.yaml:12" or "overlay dev, document 12".
    """

    ref: ObjectRef
    api_version: str
    body: Body
    source: str

    @property
    def labels(self) -> Mapping[str, str]:
        return self.body.get("metadata", {}).get("labels") or {}

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.body.get("metadata", {}).get("annotations") or {}

    @property
    def spec(self) -> Body:
        return self.body.get("spec") or {}

    @property
    def pod_template(self) -> Body | None:
        """The pod template ({metadata, spec}) this object starts containers from, or None."""
        if not self.ref.is_workload:
            return None
        if self.ref.kind == "Pod":
            return self.body
        if self.ref.kind == "CronJob":
            job = self.spec.get("jobTemplate") or {}
            return cast("Body | None", (job.get("spec") or {}).get("template"))
        return cast("Body | None", self.spec.get("template"))

    @property
    def pod_spec(self) -> Body | None:
        template = self.pod_template
        return None if template is None else template.get("spec") or {}

    def only(self, spec: Body, **metadata: str) -> Manifest:
        """Its identity and this `spec` alone: what another field manager applies of it."""
        identity = {key: value for key, value in self.body["metadata"].items() if key in ("name", "namespace")}
        kind = {key: value for key, value in self.body.items() if key in ("apiVersion", "kind")}
        return replace(self, body={**kind, "metadata": {**identity, **metadata}, "spec": spec})
