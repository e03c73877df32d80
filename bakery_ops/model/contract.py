"""The words that manifests and code share: label keys, annotation keys and the stages (k8s/README.md explains each)."""

from __future__ import annotations

from enum import Enum

NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
PLATFORM = "bakery-ia"

WAITS_FOR = "bakery-ia.dev/waits-for"
AUTOSCALED = "bakery-ia.dev/autoscaled"
DATA_OWNER = "bakery-ia.dev/data-owner"

# Written by us on what we apply; never part of the content hash.
CONTENT_HASH = "bakery-ia.dev/content-hash"
FENCE = "bakery-ia.dev/lease-transitions"
INVENTORY = "bakery-ia.dev/inventory"
RELEASE = "bakery-ia.dev/release"

WAIT_PREFIX = "wait-for-"
FIELD_MANAGER = "bakery-ops"


class Stage(Enum):
    """A step of the start order. The value is the component label that puts an object into it; order is start order."""

    FOUNDATION = "foundation"
    INFRASTRUCTURE = "infrastructure"
    DATABASE = "database"
    MIGRATION = "migration"
    MICROSERVICE = "microservice"
    EDGE = "edge"
    SEED = "seed-job"
    MONITORING = "monitoring"

    @property
    def order(self) -> int:
        return _ORDER[self]

    @property
    def title(self) -> str:
        """How a summary calls the stage."""
        return _TITLES[self]

    def counted(self, count: int) -> str:
        """`count` members of this stage in words: "1 service", "18 services"."""
        singular, plural = _MEMBERS[self]
        return f"{count} {singular if count == 1 else plural}"


_ORDER = {stage: position for position, stage in enumerate(Stage)}

_TITLES = {
    Stage.FOUNDATION: "configuration",
    Stage.INFRASTRUCTURE: "infrastructure",
    Stage.DATABASE: "databases",
    Stage.MIGRATION: "migrations",
    Stage.MICROSERVICE: "services",
    Stage.EDGE: "edge",
    Stage.SEED: "seed jobs",
    Stage.MONITORING: "monitoring",
}

_MEMBERS = {
    Stage.FOUNDATION: ("configuration object", "configuration objects"),
    Stage.INFRASTRUCTURE: ("infrastructure node", "infrastructure nodes"),
    Stage.DATABASE: ("database", "databases"),
    Stage.MIGRATION: ("migration job", "migration jobs"),
    Stage.MICROSERVICE: ("service", "services"),
    Stage.EDGE: ("edge node", "edge nodes"),
    Stage.SEED: ("seed job", "seed jobs"),
    Stage.MONITORING: ("monitoring node", "monitoring nodes"),
}
