"""Everything that is in a namespace, of whatever kind: what would be lost with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bakery_ops.cluster.discovery import Discovery, Resource
from bakery_ops.cluster.lists import METADATA_ONLY, items_at
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import JSON, Transport

_METADATA_ONLY = f"{METADATA_ONLY},{JSON}"  # some aggregated APIs know no other form than the whole
_PARALLEL = 8
_CANNOT_BE_LISTED = 405  # a kind that can only be created, such as a review

Item = Mapping[str, Any]


class ApiContents:
    """Lists namespaces whole. Metadata only: nothing of a Secret is read."""

    def __init__(self, transport: Transport, retrier: Retrier, discovery: Discovery) -> None:
        self._transport, self._retrier, self._discovery = transport, retrier, discovery

    def of(self, namespace: str) -> Sequence[Item]:
        """{apiVersion, kind, metadata} of every object in `namespace`.

        Raises: OperationFailed: a kind may not be listed, or an aggregated API does not answer: the list would not be
        whole. ClusterUnreachable.
        """
        kinds = self._discovery.namespaced()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            lists = pool.map(lambda each: self._list(each[0], each[1], namespace), kinds)
            return [item for items in lists for item in items]

    def _list(self, kind: str, resource: Resource, namespace: str) -> list[Item]:
        items = items_at(
            self._transport, self._retrier, resource.path(namespace),
            what=resource.plural, accept=_METADATA_ONLY, none_at={404, _CANNOT_BE_LISTED},
        )  # fmt: skip
        return [{"apiVersion": resource.api_version, "kind": kind, "metadata": item["metadata"]} for item in items]
