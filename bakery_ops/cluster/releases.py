"""The releases of a namespace: what each deploy rolled out, kept in the cluster so that anyone can go back to it.

One ConfigMap per release, its text compressed, the newest ten kept. Renders hold no Secret's value (they are never in
the manifests), so neither do releases.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from bakery_ops.cluster.records import Access, refused
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import Transport
from bakery_ops.errors import OperationFailed, UsageError
from bakery_ops.model.contract import MANAGED_BY
from bakery_ops.model.contract import RELEASE as _LABEL
from bakery_ops.model.manifest import ObjectRef

KEPT = 10
_PREFIX = "bakery-ops-release-"
_PAGE = 500
# etcd takes 1.5 MiB per object by default and the API server 1 MiB per ConfigMap.
_LARGEST = 1_000_000


class Release(NamedTuple):
    """One recorded release; `at` in epoch seconds (server's clock), `facts` whatever the deploy wants to be shown."""

    number: int
    at: float
    facts: Mapping[str, str]


class ApiReleases:
    """The releases of one namespace."""

    def __init__(self, transport: Transport, retrier: Retrier, namespace: str) -> None:
        self._transport, self._retrier, self._namespace = transport, retrier, namespace
        self._access = Access(transport, retrier, "release")

    def history(self) -> tuple[Release, ...]:
        """The recorded releases, newest first; () before the first deploy.

        Raises: OperationFailed: the server refuses. ClusterUnreachable.
        """
        releases = [_release(item) for item in self._items()]
        return tuple(sorted(releases, key=lambda release: -release.number))

    def read(self, number: int) -> str:
        """The text of a release.

        Raises: UsageError: there is no such release. OperationFailed: it is damaged.
        """
        found = self._access.read(self._ref(number))
        if found.status != 200:
            known = ", ".join(str(release.number) for release in self.history()) or "none"
            raise UsageError(f"There is no release {number} in {self._namespace}.", remedy=f"Recorded: {known}.")
        try:
            return zlib.decompress(base64.b64decode(found.body["binaryData"]["text"])).decode()
        except (KeyError, ValueError, zlib.error) as error:
            raise OperationFailed(f"Release {number} in {self._namespace} is damaged and cannot be read.") from error

    def record(self, text: str, facts: Mapping[str, str]) -> int:
        """Keep `text` as the newest release, unless the newest has that text already; returns its number.

        Raises: OperationFailed: it is too large, or the server refuses. ClusterUnreachable.
        """
        content = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
        if len(content) > _LARGEST:
            raise OperationFailed("This release is too large to be recorded (above 1 MB compressed).")
        known = self.history()
        newest = known[0].number if known else 0
        if known and self._content(newest) == content:
            return newest
        while True:
            newest += 1
            written = self._access.write(self._ref(newest), self._body(newest, content, facts))
            if written.status < 300 or (written.status == 409 and self._content(newest) == content):
                break  # ours; a 409 with our own content is a lost answer
            if written.status != 409:
                raise refused(self._ref(newest), written)
        for release in known[KEPT - 1 :]:
            self._delete(release.number)
        return newest

    def _ref(self, number: int) -> ObjectRef:
        return ObjectRef("", "ConfigMap", self._namespace, f"{_PREFIX}{number}")

    def _content(self, number: int) -> str:
        found = self._access.read(self._ref(number))
        return str((found.body.get("binaryData") or {}).get("text", ""))

    def _body(self, number: int, content: str, facts: Mapping[str, str]) -> Mapping[str, Any]:
        labels = {MANAGED_BY: "bakery-ops", _LABEL: str(number)}
        metadata = {"name": f"{_PREFIX}{number}", "namespace": self._namespace, "labels": labels}
        note = msgspec.json.encode({"at": self._transport.clock.now(), "facts": dict(facts)}).decode()
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata | {"annotations": {_LABEL: note}},
            "binaryData": {"text": content},
        }

    def _items(self) -> list[Mapping[str, Any]]:
        """Metadata only: ten renders are not worth reading for a list of their numbers."""
        path = f"/api/v1/namespaces/{self._namespace}/configmaps"
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        query: dict[str, str | int | bool] = {"labelSelector": _LABEL, "limit": _PAGE}
        reply = self._retrier.call(lambda: self._transport.send("list", "GET", path, query, accept=accept))
        if reply.status != 200:
            raise OperationFailed(f"The API server refuses to list the releases in {self._namespace}: {reply.status}.")
        items: list[Mapping[str, Any]] = msgspec.json.decode(reply.body).get("items") or []
        return items

    def _delete(self, number: int) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/configmaps/{_PREFIX}{number}"
        self._retrier.call(lambda: self._transport.send("release", "DELETE", path))


def _release(item: Mapping[str, Any]) -> Release:
    metadata = item["metadata"]
    number = int(metadata["name"].removeprefix(_PREFIX))
    try:
        note = msgspec.json.decode((metadata.get("annotations") or {}).get(_LABEL, "{}"))
        return Release(number, float(note.get("at", 0.0)), dict(note.get("facts") or {}))
    except (msgspec.DecodeError, ValueError, TypeError):
        return Release(number, 0.0, {})
