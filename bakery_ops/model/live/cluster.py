"""Secrets, events, storage classes, the machines of the cluster, and kinds without a struct of their own."""

from __future__ import annotations

from typing import Any

import msgspec

from bakery_ops.model.live.base import Condition, Live, Shape


class StorageClass(Live, frozen=True):
    """That it is there is all that is asked of the object."""


class Secret(Live, frozen=True):
    """`data` is base64 text; it never shows in a repr, so it cannot slip into a log or a traceback."""

    type: str = ""
    data: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"Secret({self.metadata.namespace}/{self.metadata.name}, ***)"


class Taint(Shape, frozen=True):
    key: str = ""
    value: str = ""
    effect: str = ""


class ClusterNodeSpec(Shape, frozen=True):
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class ClusterNodeStatus(Shape, frozen=True):
    allocatable: dict[str, str] = msgspec.field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()


class ClusterNode(Live, frozen=True):
    """Kind Node: a machine of the cluster."""

    spec: ClusterNodeSpec = ClusterNodeSpec()
    status: ClusterNodeStatus = ClusterNodeStatus()


class InvolvedObject(Shape, frozen=True):
    kind: str = ""
    name: str = ""
    uid: str = ""
    field_path: str = ""


class EventSeries(Shape, frozen=True):
    count: int = 0
    last_observed_time: str | None = None


class Event(Live, frozen=True):
    """Core v1. Writers of the newer API leave the two timestamps null and fill `eventTime` and `series`."""

    involved_object: InvolvedObject = InvolvedObject()
    reason: str = ""
    message: str = ""
    count: int | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries | None = None


class Generic(Live, frozen=True):
    """Any other kind."""

    spec: Any = None
    status: Any = None
