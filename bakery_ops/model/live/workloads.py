"""What makes pods: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob."""

from __future__ import annotations

from typing import Any

from bakery_ops.model.live.base import Condition, Live, Shape
from bakery_ops.model.live.pods import PodTemplate


class RollingUpdate(Shape, frozen=True):
    partition: int | None = None


class Strategy(Shape, frozen=True):
    type: str = ""
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Shape, frozen=True):
    """Of Deployment, ReplicaSet, StatefulSet and DaemonSet together; each leaves out what it does not have."""

    replicas: int | None = None
    paused: bool = False
    progress_deadline_seconds: int | None = None
    min_ready_seconds: int = 0
    pod_management_policy: str = ""
    update_strategy: Strategy = Strategy()
    template: PodTemplate = PodTemplate()


class WorkloadStatus(Shape, frozen=True):
    """Of Deployment, ReplicaSet and StatefulSet together."""

    observed_generation: int | None = None
    replicas: int = 0
    updated_replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    fully_labeled_replicas: int = 0
    current_revision: str = ""
    update_revision: str = ""
    conditions: tuple[Condition, ...] = ()


class Deployment(Live, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class ReplicaSet(Live, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class StatefulSet(Live, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class DaemonSetStatus(Shape, frozen=True):
    observed_generation: int | None = None
    desired_number_scheduled: int | None = None
    current_number_scheduled: int = 0
    updated_number_scheduled: int = 0
    number_available: int = 0
    number_ready: int = 0
    conditions: tuple[Condition, ...] = ()


class DaemonSet(Live, frozen=True):
    spec: WorkloadSpec = WorkloadSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class JobSpec(Shape, frozen=True):
    suspend: bool | None = None
    backoff_limit: int | None = None
    completions: int | None = None
    template: PodTemplate = PodTemplate()


class JobStatus(Shape, frozen=True):
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: str | None = None
    conditions: tuple[Condition, ...] = ()


class Job(Live, frozen=True):
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(Shape, frozen=True):
    suspend: bool | None = None
    schedule: str = ""


class CronJobStatus(Shape, frozen=True):
    active: tuple[dict[str, Any], ...] = ()


class CronJob(Live, frozen=True):
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
