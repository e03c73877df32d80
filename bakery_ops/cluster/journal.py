"""What earlier runs recorded of each node, in one ConfigMap, so that a rerun knows which Jobs are done."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bakery_ops.cluster.records import Access, Body, config_map
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Transport
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import JournalEntry

NAME = "bakery-ops-journal"
_KEY = "journal.json"  # one key, because node names such as "configmap/app" are no ConfigMap keys

_decode = msgspec.json.Decoder(dict[str, JournalEntry]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class ApiJournal:
    """The journal of one namespace. Sample: {"auth-migration": ["sha256…", "uid", "ready", 1718000000.0]}."""

    def __init__(self, transport: Transport, retrier: Retrier, namespace: str) -> None:
        self._access = Access(transport, retrier, "journal")
        self._ref = ObjectRef("", "ConfigMap", namespace, NAME)
        self._written: Body | None = None  # our last version, so that the next write needs no read

    def read(self, seen: Mapping[ObjectRef, Body] | None = None) -> Mapping[str, JournalEntry]:
        """Every node's last entry; {} where nothing was recorded yet. An unreadable journal counts as empty: it only
        saves work, and what it would have said is learnt from the live objects.

        `seen`: all live ConfigMaps by ref, when somebody has just listed them. Raises: ClusterUnreachable.
        """
        if seen is not None:
            return _entries(seen.get(self._ref) or {})
        found = self._access.read(self._ref)
        return _entries(found.body) if found.status == 200 else {}

    def record(self, entries: Mapping[str, JournalEntry]) -> None:
        """Add or replace these entries in one write; none where they are recorded already.

        Raises: OperationFailed, ClusterUnreachable.
        """
        if not entries:
            return

        def edit(live: Body | None) -> Body | None:
            known = _entries(live or {})
            merged = {**known, **entries}
            return None if merged == known else config_map(self._ref, live, {_KEY: _encode(merged).decode()})

        self._written = self._access.change(self._ref, edit, known=self._written)

    def clear(self) -> None:
        """Forget every entry, so that Jobs run again; no write where there is none. Raises as `record` does."""

        def edit(live: Body | None) -> Body | None:
            return config_map(self._ref, live, {_KEY: "{}"}) if _entries(live or {}) else None

        self._written = self._access.change(self._ref, edit)


def _entries(body: Body) -> dict[str, JournalEntry]:
    text = (body.get("data") or {}).get(_KEY, "{}")
    try:
        return _decode(text)
    except msgspec.DecodeError:
        return {}
