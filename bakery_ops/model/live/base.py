"""What every object of the API has."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Base of all: immutable, camelCase on the wire, and never part of a reference cycle."""


class OwnerReference(Shape, frozen=True):
    kind: str = ""
    name: str = ""
    uid: str = ""


class Metadata(Shape, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Condition(Shape, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    observed_generation: int | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None


class Live(Shape, frozen=True):
    """What every object has. LIST items carry no kind and apiVersion: whoever decodes a list fills them in."""

    api_version: str = ""
    kind: str = ""
    metadata: Metadata = Metadata()
