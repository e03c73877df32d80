"""What the API server says an object is: partial structs, only the fields that the rules read.

Unknown fields are skipped while decoding (`msgspec.json.decode(raw, type=Pod)`), which is what makes a list of 1,000
pods cheap. Everything has a default, because a server leaves out what is empty; what Go writes as `null` is typed so.
Times stay text (`model/times.py` reads them): most are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bakery_ops.model.kinds import group_of
from bakery_ops.model.live.base import (
    Condition,
    Live,
    Metadata,
    OwnerReference,
    Shape,
)
from bakery_ops.model.live.cluster import (
    ClusterNode,
    ClusterNodeSpec,
    ClusterNodeStatus,
    Event,
    EventSeries,
    Generic,
    InvolvedObject,
    Secret,
    StorageClass,
    Taint,
)
from bakery_ops.model.live.network import (
    SERVICE_NAME,
    AutoscalerStatus,
    BackendService,
    BalancedStatus,
    BudgetStatus,
    ClaimSpec,
    ClaimStatus,
    Endpoint,
    EndpointConditions,
    EndpointSlice,
    HorizontalPodAutoscaler,
    Ingress,
    IngressBackend,
    IngressHttp,
    IngressPath,
    IngressRule,
    IngressSpec,
    IngressTls,
    LoadBalancerStatus,
    PersistentVolumeClaim,
    PodDisruptionBudget,
    Service,
    ServiceSpec,
)
from bakery_ops.model.live.pods import (
    Container,
    ContainerState,
    ContainerStatus,
    Pod,
    PodSpec,
    PodStatus,
    PodTemplate,
    Probe,
    Resources,
    Running,
    Terminated,
    Waiting,
)
from bakery_ops.model.live.workloads import (
    CronJob,
    CronJobSpec,
    CronJobStatus,
    DaemonSet,
    DaemonSetStatus,
    Deployment,
    Job,
    JobSpec,
    JobStatus,
    ReplicaSet,
    RollingUpdate,
    StatefulSet,
    Strategy,
    WorkloadSpec,
    WorkloadStatus,
)
from bakery_ops.model.manifest import ObjectRef

__all__ = [
    "SERVICE_NAME",
    "STRUCTS",
    "AutoscalerStatus",
    "BackendService",
    "BalancedStatus",
    "BudgetStatus",
    "ClaimSpec",
    "ClaimStatus",
    "ClusterNode",
    "ClusterNodeSpec",
    "ClusterNodeStatus",
    "Condition",
    "Container",
    "ContainerState",
    "ContainerStatus",
    "CronJob",
    "CronJobSpec",
    "CronJobStatus",
    "DaemonSet",
    "DaemonSetStatus",
    "Deployment",
    "Endpoint",
    "EndpointConditions",
    "EndpointSlice",
    "Event",
    "EventSeries",
    "Generic",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressBackend",
    "IngressHttp",
    "IngressPath",
    "IngressRule",
    "IngressSpec",
    "IngressTls",
    "InvolvedObject",
    "Job",
    "JobSpec",
    "JobStatus",
    "Live",
    "LiveObject",
    "LoadBalancerStatus",
    "Metadata",
    "OwnerReference",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodSpec",
    "PodStatus",
    "PodTemplate",
    "Probe",
    "ReplicaSet",
    "Resources",
    "RollingUpdate",
    "Running",
    "Secret",
    "Service",
    "ServiceSpec",
    "Shape",
    "StatefulSet",
    "StorageClass",
    "Strategy",
    "Taint",
    "Terminated",
    "Waiting",
    "WorkloadSpec",
    "WorkloadStatus",
    "ref_of",
    "struct_for",
]

LiveObject = (
    Pod
    | Deployment
    | ReplicaSet
    | StatefulSet
    | DaemonSet
    | Job
    | CronJob
    | PersistentVolumeClaim
    | StorageClass
    | HorizontalPodAutoscaler
    | Service
    | EndpointSlice
    | Ingress
    | PodDisruptionBudget
    | Secret
    | ClusterNode
    | Event
    | Generic
)

_BY_GROUP_AND_KIND: Mapping[tuple[str, str], type[LiveObject]] = {
    ("", "Pod"): Pod,
    ("apps", "Deployment"): Deployment,
    ("apps", "ReplicaSet"): ReplicaSet,
    ("", "ReplicationController"): ReplicaSet,  # its older form
    ("apps", "StatefulSet"): StatefulSet,
    ("apps", "DaemonSet"): DaemonSet,
    ("batch", "Job"): Job,
    ("batch", "CronJob"): CronJob,
    ("", "PersistentVolumeClaim"): PersistentVolumeClaim,
    ("storage.k8s.io", "StorageClass"): StorageClass,
    ("autoscaling", "HorizontalPodAutoscaler"): HorizontalPodAutoscaler,
    ("", "Service"): Service,
    ("discovery.k8s.io", "EndpointSlice"): EndpointSlice,
    ("networking.k8s.io", "Ingress"): Ingress,
    ("policy", "PodDisruptionBudget"): PodDisruptionBudget,
    ("", "Secret"): Secret,
    ("", "Node"): ClusterNode,
    ("", "Event"): Event,
}

STRUCTS: Mapping[str, type[LiveObject]] = {kind: struct for (_, kind), struct in _BY_GROUP_AND_KIND.items()}

# msgspec learns a struct's fields when it is first used, and two threads that both do so crash the interpreter (0.22).
# So all are learnt now, while the import is still one thread's.
for _struct in (*STRUCTS.values(), Generic):
    msgspec.json.Decoder(_struct)


def struct_for(api_version: str, kind: str) -> type[LiveObject]:
    """The struct to decode an object into; a foreign kind that shares a name (Knative's Service) is Generic."""
    return _BY_GROUP_AND_KIND.get((group_of(api_version), kind), Generic)


def ref_of(live: LiveObject) -> ObjectRef:
    return ObjectRef(group_of(live.api_version), live.kind, live.metadata.namespace, live.metadata.name)
