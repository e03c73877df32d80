"""What a stream has delivered so far, so that a new list can be told apart from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bakery_ops.model.live import LiveObject
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.rollout.events import Event, ObjectChanged, ObjectDeleted

Key = tuple[str, str]


def key_of(item: LiveObject) -> Key:
    """(namespace, name)."""
    return item.metadata.namespace, item.metadata.name


class Delivered:
    """Delivers changes of one kind, each once. Remembers UIDs and versions, not objects."""

    def __init__(self, group: str, kind: str, deliver: Callable[[Event], None]) -> None:
        self._group, self._kind, self._deliver = group, kind, deliver
        self._known: dict[Key, tuple[str, str]] = {}  # -> (uid, resourceVersion)

    def changed(self, item: LiveObject, at: float) -> None:
        """`item` is in this state now; nothing is delivered for a version that was delivered before."""
        key, metadata = key_of(item), item.metadata
        known = self._known.get(key)
        if known is not None and known[1] == metadata.resource_version:
            return
        if known is not None and known[0] != metadata.uid:  # deleted and made anew while nobody looked
            self.deleted(key, known[0], at)
        self._known[key] = (metadata.uid, metadata.resource_version)
        self._deliver(ObjectChanged(at, item))

    def deleted(self, key: Key, uid: str, at: float) -> None:
        if self._known.pop(key, None) is not None:
            self._deliver(ObjectDeleted(at, ObjectRef(self._group, self._kind, *key), uid))

    def only(self, seen: Iterable[Key], at: float) -> None:
        """A full list had exactly these: everything else has vanished."""
        for key in self._known.keys() - set(seen):
            self.deleted(key, self._known[key][0], at)
