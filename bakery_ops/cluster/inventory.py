"""Every object we have written and not deleted, in one ConfigMap: what may be pruned, and nothing else (I1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bakery_ops.cluster.records import Access, Body, config_map
from bakery_ops.cluster.requests import ApiRequests
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Transport
from bakery_ops.errors import OperationFailed
from bakery_ops.model.manifest import ObjectRef

NAME = "bakery-ops-inventory"
_KEY = "objects"


class ApiInventory:
    """The inventory of one namespace: a line "group/kind/namespace/name" per object, sorted.

    Sample: "/ConfigMap/bakery-ia/bakery-config", "apps/Deployment/bakery-ia/auth-service", "/Namespace//bakery-ia".
    """

    def __init__(self, transport: Transport, retrier: Retrier, namespace: str) -> None:
        self._access = Access(transport, retrier, "inventory")
        self._ref = ObjectRef("", "ConfigMap", namespace, NAME)

    def read(self, seen: Mapping[ObjectRef, Body] | None = None) -> Sequence[ObjectRef]:
        """Sorted; () where nothing was ever deployed.

        `seen`: all live ConfigMaps by ref, when somebody has just listed them.
        Raises: OperationFailed: it cannot be read or understood (to guess would prune, or orphan). ClusterUnreachable.
        """
        if seen is not None:
            return _parse(seen.get(self._ref) or {})
        found = self._access.read(self._ref)
        if found.status == 404:
            return ()
        if found.status != 200:
            raise OperationFailed(f"The inventory {NAME} cannot be read: {found.message or found.status}.")
        return _parse(found.body)

    def write(self, refs: Sequence[ObjectRef]) -> None:
        """Record exactly `refs`; no write where they are recorded already.

        Raises: OperationFailed, ClusterUnreachable.
        """
        self._access.change(self._ref, lambda live: self._edited(live, refs))

    def add(self, refs: Sequence[ObjectRef]) -> None:
        """Record `refs` besides what is recorded at the moment of the write: another run may have added to it.

        Raises: OperationFailed, ClusterUnreachable.
        """
        self._access.change(self._ref, lambda live: self._edited(live, [*_parse(live or {}), *refs]))

    def _edited(self, live: Body | None, refs: Sequence[ObjectRef]) -> Body | None:
        wanted = tuple(sorted(set(refs)))
        if live is not None and (live.get("data") or {}).get(_KEY) is not None and _parse(live) == wanted:
            return None
        return config_map(self._ref, live, {_KEY: "".join("/".join(ref) + "\n" for ref in wanted)})


def elsewhere(requests: ApiRequests, namespace: str) -> Mapping[ObjectRef, str]:
    """What the inventories of other namespaces hold: ref -> that namespace.

    Raises: OperationFailed: they cannot be listed or understood. ClusterUnreachable.
    """
    items = requests.list("", "ConfigMap", None, field_selector=f"metadata.name={NAME}")
    others = [item for item in items if item["metadata"]["namespace"] != namespace]
    return {ref: item["metadata"]["namespace"] for item in others for ref in _parse(item)}


def _parse(body: Body) -> tuple[ObjectRef, ...]:
    lines = str((body.get("data") or {}).get(_KEY, "")).splitlines()
    parts = [tuple(line.split("/")) for line in lines]
    if any(len(part) != 4 for part in parts):
        raise OperationFailed(
            f"The inventory {NAME} was edited and cannot be understood.",
            remedy="Restore it, or delete it after making sure that nothing of ours would be orphaned.",
        )
    return tuple(sorted(ObjectRef(*part) for part in parts))
