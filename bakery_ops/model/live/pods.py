"""Pods and their containers."""

from __future__ import annotations

import msgspec

from bakery_ops.model.live.base import Condition, Live, Shape


class Resources(Shape, frozen=True):
    requests: dict[str, str] = msgspec.field(default_factory=dict)
    limits: dict[str, str] = msgspec.field(default_factory=dict)


class Probe(Shape, frozen=True):
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class Container(Shape, frozen=True):
    name: str = ""
    image: str = ""
    restart_policy: str = ""
    resources: Resources = Resources()
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None


class PodSpec(Shape, frozen=True):
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    node_name: str = ""
    restart_policy: str = "Always"
    overhead: dict[str, str] = msgspec.field(default_factory=dict)


class Waiting(Shape, frozen=True):
    reason: str = ""
    message: str = ""


class Running(Shape, frozen=True):
    started_at: str | None = None


class Terminated(Shape, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    finished_at: str | None = None


class ContainerState(Shape, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Shape, frozen=True):
    name: str = ""
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image_id: str = msgspec.field(default="", name="imageID")
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(Shape, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Live, frozen=True):
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class TemplateMetadata(Shape, frozen=True):
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class PodTemplate(Shape, frozen=True):
    metadata: TemplateMetadata = TemplateMetadata()
    spec: PodSpec = PodSpec()
