"""The values that readiness speaks in. What they mean: docs/readiness.md."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.manifest import ObjectRef


class Verdict(Enum):
    """How a node stands. Worst first: a node made of several objects takes the first that applies."""

    FAILED = "failed"
    FAILING = "failing"
    BLOCKED = "blocked"
    PROGRESSING = "progressing"
    READY = "ready"

    @property
    def severity(self) -> int:
        return _SEVERITY[self]


_SEVERITY = {verdict: len(Verdict) - position for position, verdict in enumerate(Verdict)}


class EvidenceClass(Enum):
    PERMANENT = "permanent"  # cannot heal by waiting: fails after a short hold time
    TRANSIENT = "transient"  # often heals by itself: fails after a longer timer
    BUDGET = "budget"  # counted: fails when the count is used up


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a node is failing.

    Attributes:
        reason: The API's word: "CreateContainerConfigError", "Unschedulable".
        message: The first message seen, one line, not the later degraded one.
        subject: The object that shows it: "pod/auth-service-6d9f-x2x1".
        container: Its container, or "".
        since: When it was first observed (server's clock, epoch seconds).
        fails_at: When it becomes Failed if still present (server's clock); `since` for "at once"; infinity while only
            a count decides.
        names: The Secrets or ConfigMaps it says are missing, so that roots that share one can be merged.
    """

    evidence_class: EvidenceClass
    reason: str
    message: str
    subject: str
    container: str = ""
    since: float = 0.0
    fails_at: float = 0.0
    names: tuple[ObjectRef, ...] = ()


class Applied(NamedTuple):
    """What our apply of an object returned, and when (`at`, server's clock)."""

    uid: str
    generation: int
    content_hash: str
    at: float
    created: bool  # we created it in this deploy (or changed its generation): old conditions are not its own
    changed: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules say of one node at one moment.

    Attributes:
        message: One line for the live view: "2/3 ready", "Init:wait-for-redis".
        evidence: Own evidence, worst first; required for FAILED and FAILING.
        waiting_for: The X of every running `wait-for-X` init container of the current revision.
        held: Paused or suspended on purpose (only with BLOCKED).
        wake_at: Ask again at this time even if nothing changes (end of a hold time), or None.
        progress: Changes whenever the node got further (image pulled, init step done, replica up, volume bound).
        warnings: Facts worth a line in the summary that never block.
        restarts: Container restarts of the current revision's pods, per pod UID and container.
    """

    verdict: Verdict
    message: str = ""
    evidence: tuple[Evidence, ...] = ()
    waiting_for: tuple[str, ...] = ()
    held: bool = False
    wake_at: float | None = None
    progress: Hashable = None
    warnings: tuple[str, ...] = ()
    restarts: Mapping[tuple[str, str], int] = field(default_factory=dict)
