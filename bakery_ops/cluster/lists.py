"""Whole lists, all pages: what is missing in one would be pruned, or called a stranger's."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from typing import Any

from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import JSON, Query, Transport
from bakery_ops.errors import Forbidden, OperationFailed

_PAGE = 500
METADATA_ONLY = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Item = dict[str, Any]


def items_at(
    transport: Transport,
    retrier: Retrier,
    path: str,
    query: Query | None = None,
    *,
    what: str,
    accept: str = JSON,
    none_at: Set[int] = frozenset({404}),
) -> list[Item]:
    """Every item of the list at `path`.

    Args:
        what: Names the items in errors: "pods".
        none_at: Statuses that say that there is no such list, so that it has no items.
    Raises: OperationFailed: the server refuses, or what it answers is no list (F60). ClusterUnreachable.
    """
    found: list[Item] = []
    token = ""
    while True:
        page: Query = {"limit": _PAGE, **(query or {}), **({"continue": token} if token else {})}
        reply = retrier.call(partial(transport.send, "list", "GET", path, page, accept=accept))
        if reply.status == 410 and token:  # the token outlived etcd's compaction: begin again (F4)
            found, token = [], ""
            continue
        if reply.status in none_at:
            return []
        result = answer(reply)
        if result.status != 200 or "items" not in result.body:
            error = Forbidden if result.status == 403 else OperationFailed
            raise error(f"The API server refuses to list {what}: {result.message or 'its answer is not a list'}.")
        found += result.body["items"] or ()
        token = (result.body.get("metadata") or {}).get("continue") or ""
        if not token:
            return found
