"""Everything that is in a namespace, of whatever kind: what would be lost with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.discovery import Discovery, Resource
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Transport
from bakery_ops.errors import OperationFailed

_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_PARALLEL = 8
_CANNOT_BE_LISTED = 405  # a kind that can only be created, such as a review
_PAGE = 500

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
        items: list[Item] = []
        token = ""
        while True:
            query: dict[str, str | int | bool] = {"limit": _PAGE} | ({"continue": token} if token else {})
            path = resource.path(namespace)
            reply = self._retrier.call(partial(self._transport.send, "list", "GET", path, query, accept=_METADATA_ONLY))
            if reply.status in (404, _CANNOT_BE_LISTED):
                return []
            found = answer(reply)
            if found.status >= 300:
                raise OperationFailed(f"The API server refuses to list {resource.plural}: {found.message}.")
            items += [
                {"apiVersion": resource.api_version, "kind": kind, "metadata": item["metadata"]}
                for item in found.body.get("items") or ()
            ]
            token = (found.body.get("metadata") or {}).get("continue") or ""
            if not token:
                return items
