"""One Kubernetes object as we intend it: its identity, its body, and where it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

# Kinds that start containers; a node named after one of these goes by its bare name.
WORKLOAD_KINDS = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet", "ReplicationController", "Pod"}
)

Body = Mapping[str, Any]


class ObjectRef(NamedTuple):
    """Which object: API group ("" is core), kind, namespace ("" is cluster-scoped) and name."""

    group: str
    kind: str
    namespace: str
    name: str

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
        if self.ref.kind == "Pod":
            return self.body
        if self.ref.kind == "CronJob":
            job = self.spec.get("jobTemplate") or {}
            return cast("Body | None", (job.get("spec") or {}).get("template"))
        if self.ref.kind in WORKLOAD_KINDS:
            return cast("Body | None", self.spec.get("template"))
        return None

    @property
    def pod_spec(self) -> Body | None:
        template = self.pod_template
        return None if template is None else template.get("spec") or {}
