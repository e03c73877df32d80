"""Our own small objects in the cluster (Lease, journal, inventory): read, change, write back, again on a conflict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from bakery_ops.cluster.answers import answer
from bakery_ops.cluster.discovery import BUILT_IN
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Reply, Timeouts, Transport
from bakery_ops.errors import Forbidden, OperationFailed
from bakery_ops.model.answer import Answer
from bakery_ops.model.contract import MANAGED_BY
from bakery_ops.model.manifest import ObjectRef

_CONFLICTS = 12

Body = Mapping[str, Any]


class Access(NamedTuple):
    """How records reach the server; `verb` is what their requests are counted as."""

    transport: Transport
    retrier: Retrier
    verb: str
    timeouts: Timeouts = Timeouts(connect=5.0, read=15.0)

    def read(self, ref: ObjectRef, *, budget: float | None = None) -> Answer:
        path = BUILT_IN[ref.group, ref.kind].path(ref.namespace, ref.name)
        return answer(self.retrier.call(lambda: self._send("GET", path), budget=budget))

    def write(self, ref: ObjectRef, body: Body, *, budget: float | None = None) -> Answer:
        """Create the object, or replace the version that `body` was made from: PUT when it carries a resourceVersion.

        Never blind: a stale or lost write is answered by 409, and the caller reads again.
        """
        resource = BUILT_IN[ref.group, ref.kind]
        replaces = "resourceVersion" in body["metadata"]
        method, name = ("PUT", ref.name) if replaces else ("POST", "")
        path, content = resource.path(ref.namespace, name), msgspec.json.encode(body)
        return answer(self.retrier.call(lambda: self._send(method, path, content), budget=budget), written=body)

    def change(
        self, ref: ObjectRef, edit: Callable[[Body | None], Body | None], *, known: Body | None = None
    ) -> Body | None:
        """Read, `edit`, write back, and all again when someone else was faster (F10).

        `edit` gets the live body (None: there is none) and returns the new one, or None to leave it alone. It runs
        again after a lost answer, so its result must depend on the body alone. `known`: the body as last seen, which
        saves the first read; the server refuses the write if it is stale.

        Raises: OperationFailed: the server refuses. ClusterUnreachable.
        """
        for _ in range(_CONFLICTS):
            live, guessed, known = known or self._live(ref), known is not None, None
            wanted = edit(live)
            if wanted is None:
                return None
            written = self.write(ref, wanted)
            if written.status < 300:
                return written.body
            if written.status != 409 and not (guessed and written.status == 404):
                raise refused(ref, written)
        raise OperationFailed(f"{ref} in {ref.namespace} was changed by someone else {_CONFLICTS} times in a row.")

    def _live(self, ref: ObjectRef) -> Body | None:
        found = self.read(ref)
        if found.status not in (200, 404):
            raise refused(ref, found)
        return found.body if found.status == 200 else None

    def _send(self, method: str, path: str, body: bytes | None = None) -> Reply:
        verb = self.verb if body is not None else "get"
        return self.transport.send(verb, method, path, body=body, timeouts=self.timeouts)


def config_map(ref: ObjectRef, live: Body | None, data: Mapping[str, str]) -> Body:
    """`live` with new data, or a new ConfigMap of ours."""
    metadata: dict[str, Any] = dict(live["metadata"]) if live else {"name": ref.name, "namespace": ref.namespace}
    metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED_BY: "bakery-ops"}
    metadata.pop("managedFields", None)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def refused(ref: ObjectRef, found: Answer) -> OperationFailed:
    error = Forbidden if found.status == 403 else OperationFailed
    return error(f"The API server refuses {ref} in {ref.namespace}: {found.message or found.status}.")
