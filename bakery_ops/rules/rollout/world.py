"""The live objects a rollout has seen, indexed so that one change finds its node without a search.

Objects arrive in any order: a pod may come before its ReplicaSet. So nothing is resolved on arrival; the indexes are
keyed by what an object says itself (its UID, its owners' UIDs, its Service's name), and walked when a node is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from bakery_ops.model.live import SERVICE_NAME, EndpointSlice, Event, LiveObject, ref_of
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.times import time_or
from bakery_ops.rules.claims import claim_stem


class World:
    """A cache of live objects. Mutable; owned by one rollout."""

    def __init__(self) -> None:
        self._by_uid: dict[str, LiveObject] = {}
        self._by_ref: dict[ObjectRef, str] = {}
        self._children: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._slices: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._claims: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._events: defaultdict[str, dict[str, Event]] = defaultdict(dict)
        self._unconfirmed: defaultdict[str, set[str]] = defaultdict(set)
        self._gone: set[str] = set()

    def put(self, live: LiveObject, *, from_snapshot: bool = False) -> bool:
        """Take in the object's newest state. Returns False when a newer one, or its end, is known already.

        `from_snapshot`: it was listed before the streams started, so the first full list must confirm it.
        """
        uid = live.metadata.uid
        known = self._by_uid.get(uid)
        if from_snapshot and known is None:
            self._unconfirmed[live.kind].add(uid)
        elif not from_snapshot and self._unconfirmed:
            self._unconfirmed[live.kind].discard(uid)
        if uid in self._gone or (known is not None and 0 < _version(live) <= _version(known)):
            return False
        self._by_uid[uid] = live
        if known is not None and belongs_elsewhere(known, live):
            self._unindex(uid, known)
            known = None
        if known is None:
            self._index(uid, live)
        return True

    def _index(self, uid: str, live: LiveObject) -> None:
        metadata = live.metadata
        for owner in metadata.owner_references:
            self._children[owner.uid][uid] = None
        if isinstance(live, Event):
            self._events[live.involved_object.uid][uid] = live
            return
        if isinstance(live, EndpointSlice):
            self._slices[metadata.namespace, metadata.labels.get(SERVICE_NAME, "")][uid] = None
        elif live.kind == "PersistentVolumeClaim":
            self._claims[metadata.namespace, claim_stem(metadata.name)][uid] = None
        self._bind(uid, live)

    def _bind(self, uid: str, live: LiveObject) -> None:
        """A name means its youngest object: a late event of a replaced Job must not hide the new one."""
        ref = ref_of(live)
        bound = self._by_uid.get(self._by_ref.get(ref, ""))
        if bound is None or _created(bound) <= _created(live):
            self._by_ref[ref] = uid

    def _unindex(self, uid: str, live: LiveObject) -> None:
        metadata = live.metadata
        for owner in metadata.owner_references:
            self._children[owner.uid].pop(uid, None)
        if isinstance(live, Event):
            self._events[live.involved_object.uid].pop(uid, None)
        elif isinstance(live, EndpointSlice):
            self._slices[metadata.namespace, metadata.labels.get(SERVICE_NAME, "")].pop(uid, None)
        elif live.kind == "PersistentVolumeClaim":
            self._claims[metadata.namespace, claim_stem(metadata.name)].pop(uid, None)

    def remove(self, uid: str, *, for_good: bool = False) -> LiveObject | None:
        """Forget an object that is gone; returns its last state.

        `for_good`: its end was seen, so that no answer that comes late may bring it back.
        """
        if for_good:
            self._gone.add(uid)
        live = self._by_uid.pop(uid, None)
        if live is None:
            return None
        self._unindex(uid, live)
        ref = ref_of(live)
        if self._by_ref.get(ref) == uid:
            del self._by_ref[ref]
        return live

    def is_gone(self, uid: str) -> bool:
        return uid in self._gone

    def unconfirmed(self, kind: str) -> frozenset[str]:
        """UIDs of a kind that a snapshot knew and the first full list did not deliver: gone meanwhile."""
        return frozenset(self._unconfirmed.pop(kind, ()))

    def of(self, ref: ObjectRef) -> LiveObject | None:
        return self._by_uid.get(self._by_ref.get(ref, ""))

    def by_uid(self, uid: str) -> LiveObject | None:
        return self._by_uid.get(uid)

    def children(self, live: LiveObject, claim_templates: Iterable[str] = ()) -> list[LiveObject]:
        """Everything owned by `live`, directly or through others; and its volume claims, which have no owner, by name.

        `claim_templates`: names of a StatefulSet's volumeClaimTemplates ("data" makes claims data-<name>-<ordinal>).
        """
        found: list[LiveObject] = []
        queue = [live.metadata.uid]
        seen = set(queue)
        while queue:
            for uid in self._children.get(queue.pop(), ()):
                child = self._by_uid.get(uid)
                if child is not None and uid not in seen:
                    seen.add(uid)
                    found.append(child)
                    queue.append(uid)
        for template in claim_templates:
            claims = self._claims.get((live.metadata.namespace, f"{template}-{live.metadata.name}"), ())
            found.extend(self._by_uid[uid] for uid in claims if uid not in seen)
        return found

    def slices(self, namespace: str, service: str) -> list[LiveObject]:
        return [self._by_uid[uid] for uid in self._slices.get((namespace, service), ())]

    def events(self, objects: Iterable[LiveObject], since: float) -> list[Event]:
        """Events about `objects`, not older than `since`, oldest first.

        Event times have whole seconds, so an event of the very second of `since` counts.
        """
        found = [
            event
            for live in objects
            for uid in self._events.get(live.metadata.uid, ())
            if event_time(event := self._current_event(uid, live)) >= int(since)
        ]
        return sorted(found, key=lambda event: (event_time(event), event.metadata.name))

    def _current_event(self, uid: str, live: LiveObject) -> Event:
        event = self._by_uid.get(uid)
        return event if isinstance(event, Event) else self._events[live.metadata.uid][uid]

    def owners(self, live: LiveObject) -> Iterator[LiveObject]:
        """`live`'s owners that are known, and theirs."""
        queue = [owner.uid for owner in live.metadata.owner_references]
        seen: set[str] = set()
        while queue:
            uid = queue.pop()
            owner = self._by_uid.get(uid)
            if owner is None or uid in seen:
                continue
            seen.add(uid)
            yield owner
            queue.extend(parent.uid for parent in owner.metadata.owner_references)


def belongs_elsewhere(before: LiveObject, after: LiveObject) -> bool:
    """Whether it was adopted, orphaned or given to another Service."""
    was, now = before.metadata, after.metadata
    return was.owner_references != now.owner_references or was.labels.get(SERVICE_NAME) != now.labels.get(SERVICE_NAME)


def event_time(event: Event) -> float:
    """Epoch seconds an Event speaks of: its last occurrence. Old and new event APIs fill different fields."""
    series = event.series.last_observed_time if event.series else None
    text = series or event.last_timestamp or event.event_time or event.first_timestamp
    return time_or(text or event.metadata.creation_timestamp, 0.0)


def _created(live: LiveObject) -> str:
    return live.metadata.creation_timestamp or ""


def _version(live: LiveObject) -> int:
    """resourceVersion as a number ("Kubernetes API concepts": comparable as integers within one kind)."""
    text = live.metadata.resource_version
    return int(text) if text.isdigit() else 0
