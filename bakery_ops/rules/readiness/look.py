"""One look at a node: the observation, what the last look left, and what this one leaves for the next.

A `Look` is the only thing here that changes while a rule runs; it lives for one call of `judge`. Only what a rule asks
for again is kept, so a symptom that went away starts anew, and a pod that is gone is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, inf
from typing import NamedTuple

from bakery_ops.model.live import Event, LiveObject, Pod, ref_of
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.times import time_or
from bakery_ops.rules.evidence import Row
from bakery_ops.rules.readiness.observation import ClusterFacts, Memory, Observation, Sighting
from bakery_ops.rules.verdict import Evidence, EvidenceClass

_UNSYNCED_PAUSE = 5.0
# Server times have whole seconds, and our notion of the server's clock is as fine as its Date header.
_CLOCK_SLACK = 1.0


class Symptom(NamedTuple):
    """Evidence as it is seen, before its time or count is weighed.

    Attributes:
        subject, uid, container: Who shows it; uid "" counts over all pods of the node.
        occurrences: How many so far, for counted rows.
        held: The state that the hold time is about is present at this look.
        paused: The hold time stands still.
        names: The Secrets and ConfigMaps it says are missing.
    """

    row: Row
    reason: str
    message: str
    subject: str
    uid: str
    container: str = ""
    occurrences: int = 0
    held: bool = True
    paused: bool = False
    names: tuple[ObjectRef, ...] = ()


class Weighed(NamedTuple):
    evidence: Evidence
    failed: bool
    row: Row


class Look:
    """The workspace of one `judge` call. `since` is t0: what is older belongs to an earlier deploy."""

    def __init__(self, observation: Observation, memory: Memory) -> None:
        uid = observation.live.metadata.uid if observation.live is not None else memory.uid
        self.before = memory if memory.uid in ("", uid) else Memory()
        self.observation = observation
        self.now = observation.now
        self.since = observation.since
        self.wakes: list[float] = []
        self.uid = uid
        self.completed = self.before.completed
        self._events: dict[str, list[Event]] | None = None
        self._sightings: dict[tuple[str, ...], Sighting] = {}
        self._pulls: dict[tuple[str, str, str], str] = {}
        self._baselines: dict[tuple[str, str], int] = {}
        self._excused: dict[tuple[str, str], str] = {}
        self._marks: dict[tuple[str, ...], frozenset[str]] = {}

    @property
    def cluster(self) -> ClusterFacts:
        return self.observation.cluster

    def events_of(self, uid: str) -> Sequence[Event]:
        """Events about one object, oldest first."""
        if self._events is None:
            self._events = {}
            for event in sorted(self.observation.events, key=event_order):
                self._events.setdefault(event.involved_object.uid, []).append(event)
        return self._events.get(uid, ())

    def is_ours(self, text: str | None) -> bool:
        """Whether this server time belongs to this deploy; none counts as now."""
        return time_or(text, self.now) >= floor(self.since) - _CLOCK_SLACK

    def wake(self, at: float) -> None:
        self.wakes.append(at)

    def weigh(self, symptom: Symptom) -> Weighed:
        """The symptom as evidence, and whether its time or its count is up."""
        row = symptom.row
        key = (row.id, symptom.uid, symptom.container)
        sighting = self._paused(self.before.sightings.get(key) or Sighting(self.now, symptom.message), symptom.paused)
        fails_at = inf
        if row.hold is not None and not symptom.paused:
            fails_at = sighting.since + row.hold + sighting.paused_for
        if sighting.failed_at is None and self._is_up(symptom, fails_at):
            sighting = sighting._replace(failed_at=min(fails_at, self.now))
        self._sightings[key] = sighting
        evidence = Evidence(
            row.evidence_class,
            symptom.reason,
            # What is counted tells the count of now; all else its first message, before it degrades.
            symptom.message if row.budget or row.evidence_class is EvidenceClass.BUDGET else sighting.message,
            symptom.subject,
            symptom.container,
            sighting.since,
            fails_at if sighting.failed_at is None else sighting.failed_at,
            symptom.names,
        )
        return Weighed(evidence, sighting.failed_at is not None, row)

    def _is_up(self, symptom: Symptom, fails_at: float) -> bool:
        row = symptom.row
        if row.budget and symptom.occurrences >= row.budget:
            return True
        if not symptom.held or fails_at == inf:
            return False
        if self.now < fails_at:
            self.wake(fails_at)
            return False
        # The second look counts only if what it sees is true now; a relist brings it about, the wake is for safety.
        is_seen = self.observation.synced or row.hold == 0
        if not is_seen:
            self.wake(self.now + _UNSYNCED_PAUSE)
        return is_seen

    def _paused(self, sighting: Sighting, paused: bool) -> Sighting:
        if paused:
            return sighting if sighting.paused_from is not None else sighting._replace(paused_from=self.now)
        if sighting.paused_from is None:
            return sighting
        lost = self.now - sighting.paused_from
        return sighting._replace(paused_for=sighting.paused_for + lost, paused_from=None)

    def pull_message(self, key: tuple[str, str, str]) -> str:
        return self.before.pulls.get(key, "")

    def keep_pull_message(self, key: tuple[str, str, str], message: str) -> None:
        self._pulls[key] = message

    def counted(
        self, key: tuple[str, str], total: int, *, born: bool, excused_to: int, excuse: str
    ) -> tuple[int, bool]:
        """How much of a counter that only grows counts against the node, and whether its present back-off is excused.

        Args:
            total: The counter now. `born`: the pod is of this deploy, so all of it counts.
            excused_to: What the counter may reach without counting, while a dependency is not Ready.
            excuse: Identity of the run whose end began the present back-off.
        """
        if not self.observation.dependencies_ready:
            self._baselines[key] = excused_to
            self._excused[key] = excuse
            return 0, True
        baseline = self.before.baselines.get(key, 0 if born else total)
        self._baselines[key] = baseline
        is_excused = bool(excuse) and self.before.excused.get(key) == excuse
        if is_excused:
            self._excused[key] = excuse
        return max(0, total - baseline), is_excused

    def mark(self, key: tuple[str, ...], occurrences: frozenset[str]) -> int:
        """Remember these occurrences beside those of earlier looks; how many there are."""
        marks = self._marks.get(key, self.before.marks.get(key, frozenset())) | occurrences
        self._marks[key] = marks
        return len(marks)

    def reach(self, revision: str, counters: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
        """The counters' high-water marks since `revision` began: they move only when the node gets further."""
        known, marks = self.before.reached
        if known == revision and len(marks) == len(counters):
            counters = tuple(map(max, marks, counters))
        return revision, counters

    def memory(self, reached: tuple[str, tuple[int, ...]]) -> Memory:
        return Memory(
            self.uid,
            self._sightings,
            self._pulls,
            self._baselines,
            self._excused,
            self._marks,
            reached,
            self.completed,
        )


def event_time(event: Event, default: float = 0.0) -> float:
    """When the event was last seen."""
    newest = event.series.last_observed_time if event.series else None
    return time_or(newest or event.last_timestamp or event.event_time or event.metadata.creation_timestamp, default)


def event_count(event: Event) -> int:
    return max(event.series.count if event.series else 0, event.count or 0, 1)


def event_order(event: Event) -> tuple[float, str, str]:
    return event_time(event), event.metadata.name, event.message


def subject_of(live: LiveObject) -> str:
    return str(ref_of(live))


def is_born(look: Look, pod: Pod) -> bool:
    """The pod was created by this deploy."""
    return look.is_ours(pod.metadata.creation_timestamp)
