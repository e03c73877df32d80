"""What one deploy is asked, who looks on, and the adapters it works through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Plan, Recorded
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.workflows import rollout, unchanged
from bakery_ops.workflows.observe import Snapshot
from bakery_ops.workflows.ports import Clock, Inventory, Journal, Mirror, Requests, Say
from bakery_ops.workflows.releases import Recording

Amend = Callable[[Plan, Graph, Snapshot, Mapping[str, Recorded]], Plan]
"""Makes another plan of the plan, or refuses it; nothing is written yet. Gets the live objects and the journal."""


def as_planned(decided: Plan, graph: Graph, seen: Snapshot, journal: Mapping[str, Recorded]) -> Plan:
    return decided


class Lock(Protocol):
    """The cluster's deploy lock, held. `transitions` counts its holders: the number that fences our writes."""

    @property
    def transitions(self) -> int: ...
    @property
    def is_held(self) -> bool: ...

    def enter(self, phase: str) -> None:
        """Tell others how far this run is."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The adapters one deploy works through.

    Attributes:
        namespace: Where the lock, the inventory and the journal are kept.
        lock: Makes the context manager that holds the deploy lock; it tells `inbox` when the lock is lost.
        ensure_credentials: Creates the missing secrets and certificates of these nodes; returns all that are there now.
        ensure_images: Makes these images available to the cluster's nodes.
        facts: Reads storage classes, ingress classes and cluster nodes.
        prove_capacity: Raises PreflightRefused when the platform does not fit the cluster's nodes.
        lacking: What this account may not do of all that a deploy of these nodes does.
        unfollowed: Which of the streams that a rollout of these nodes needs this account may not watch.
        apply_everything: Another engine, which applies all at once; our waits, evidence and verification go on after
            it. None: we apply node by node.
        quick: What tells a platform that stands already; None: every deploy goes the long way.
        amend: What a rollback makes of the plan.
        recording: Where this deploy is recorded; None for one that is not.
        pools: Makes a pool of so many threads of that name.
        hurry, seal: See `rollout.World`.
    """

    namespace: str
    requests: Requests
    mirror: Mirror
    clock: Clock
    inbox: rollout.Inbox
    journal: Journal
    inventory: Inventory
    lock: Callable[[], AbstractContextManager[Lock]]
    ensure_credentials: Callable[[Graph], Collection[ObjectRef]]
    ensure_images: Callable[[Sequence[str]], None]
    facts: Callable[[], ClusterFacts]
    prove_capacity: Callable[[Graph], None]
    request_count: Callable[[], int]
    say: Say
    lacking: Callable[[Graph], Sequence[str]] = lambda graph: ()
    unfollowed: Callable[[Graph], Sequence[str]] = lambda graph: ()
    apply_everything: Callable[[], None] | None = None
    quick: unchanged.Quick | None = None
    amend: Amend = as_planned
    recording: Recording | None = None
    pools: Callable[[int, str], Executor] = ThreadPoolExecutor
    hurry: Callable[[float], None] = lambda seconds: None
    seal: Callable[[], None] = lambda: None


class Wishes(NamedTuple):
    """What the user asked of this deploy. `simulated`: nothing really runs there. `workers`: parallel writes.

    `recreate`, `prune_kinds`, `allow_mass_prune`: what may be deleted (see `rules.plan.plan`).
    `rerun`: Jobs to run again although nothing changed. `at_most`: so many start at one time; None: as the nodes allow.
    """

    only: tuple[str, ...] = ()
    rerun: tuple[str, ...] = ()
    dry_run: bool = False
    force_conflicts: bool = False
    recreate: tuple[str, ...] = ()
    prune_kinds: tuple[str, ...] = ()
    allow_mass_prune: bool = False
    simulated: bool = False
    workers: int = 8
    at_most: int | None = None
    options: Options = Options()


class Watchers(NamedTuple):
    """Who looks on: the live view, the record of events, and the recording that can be played again."""

    on_change: Callable[[RolloutView], None] = lambda view: None
    on_event: Callable[[Mapping[str, Any]], None] = lambda event: None
    on_record: Callable[[Mapping[str, Any]], None] | None = None
