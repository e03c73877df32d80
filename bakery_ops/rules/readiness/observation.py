"""Everything a rule may look at, and what it may remember: values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bakery_ops.model.graph import Node
from bakery_ops.model.live import Event, LiveObject, Taint
from bakery_ops.rules.verdict import Applied


class StorageClassFacts(NamedTuple):
    name: str
    is_default: bool
    waits_for_consumer: bool


class Machine(NamedTuple):
    """A cluster node: what is allocatable there (`cpu` in thousandths of a core, `memory` in bytes)."""

    name: str
    cpu: int
    memory: int
    is_ready: bool = True
    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What is known of the cluster. Unknown is None or empty, and no rule fails a node on what is unknown.

    Attributes:
        storage_classes, ingress_classes: All there are, or None when they could not be read.
        machines: The cluster nodes, or () when they could not be read.
        is_local: No cloud stands behind it, so a LoadBalancer may stay without an address for good.
        is_simulated: No program runs there, so nothing ever answers for an APIService.
    """

    storage_classes: tuple[StorageClassFacts, ...] | None = None
    ingress_classes: frozenset[str] | None = None
    machines: tuple[Machine, ...] = ()
    is_local: bool = False
    is_simulated: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """One node of the graph and all that is known of it at one moment. Times: server's clock, epoch seconds.

    Attributes:
        applied: What our apply returned; None when the object was found unchanged and not applied.
        started: Start of this deploy.
        live: The node's own object, or None when the cache does not hold it.
        children: Everything it owns, directly or through others, terminating ones included; a StatefulSet's claims.
        related: For a Service its EndpointSlices and the workloads behind it; for an Ingress its Services and their
            EndpointSlices; what else the node relies on.
        events: About `live` and `children`, none older than our apply, in any order.
        dependencies_ready: Every node this one needs is Ready; if not, its crashes are not counted.
        synced: Every stream that shows this node is connected and complete, so what is seen is true now.
        logs: (pod UID, container) -> last log lines, where they were fetched.
    """

    node: Node
    applied: Applied | None
    started: float
    live: LiveObject | None
    children: Sequence[LiveObject]
    related: Sequence[LiveObject]
    events: Sequence[Event]
    cluster: ClusterFacts
    dependencies_ready: bool
    now: float
    synced: bool = True
    logs: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    @property
    def since(self) -> float:
        """t0: when we applied the object, or when the deploy started if there was nothing to apply."""
        return self.applied.at if self.applied else self.started


class Sighting(NamedTuple):
    """How long something has been seen; its hold time grows by `paused_for`, and stands still from `paused_from` on.

    `failed_at`: when it turned into Failed. It stays so until the symptom is gone: a verdict must not flicker.
    """

    since: float
    message: str
    paused_for: float = 0.0
    paused_from: float | None = None
    failed_at: float | None = None

    def resumed(self, at: float) -> Sighting:
        """As if it were seen for the first time at `at`, after a time in which nobody looked; failed stays failed."""
        if self.failed_at is not None:
            return self
        return self._replace(paused_for=at - self.since, paused_from=None if self.paused_from is None else at)


@dataclass(frozen=True, slots=True)
class Memory:
    """What the rules keep of one node between two looks. Opaque to callers; `Memory()` has seen nothing.

    Attributes:
        uid: Of the object it is about; another object starts with an empty memory.
        sightings: Evidence that was present at the last look -> since when.
        pulls: (pod UID, container, image) -> first message of the failed pull.
        baselines: (pod UID, container) -> restart count from which crashes count.
        excused: (pod UID, container) -> the end of the run whose back-off is not counted.
        marks: What was counted, each once: (row, pod UID, container) -> identities of its occurrences.
        reached: High-water marks behind `Judgement.progress`.
        completed: The Job's success was seen.
    """

    uid: str = ""
    sightings: Mapping[tuple[str, ...], Sighting] = field(default_factory=dict)
    pulls: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    baselines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    excused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    marks: Mapping[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    reached: tuple[str, tuple[int, ...]] = ("", ())
    completed: bool = False

    def resumed(self, at: float) -> Memory:
        """With every hold time begun anew at `at`, after a time in which nobody looked."""
        return replace(self, sightings={key: sighting.resumed(at) for key, sighting in self.sightings.items()})
