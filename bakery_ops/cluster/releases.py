"""The releases of a namespace: what each deploy rolled out, kept in the cluster so that anyone can go back to it.

One ConfigMap per release, its text compressed, the newest ten kept; one more for the deploy that is on its way. The
texts hold no Secret's value (`model.recorded`).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bakery_ops.cluster.lists import METADATA_ONLY, items_at
from bakery_ops.cluster.records import Access, refused
from bakery_ops.cluster.retry import Retrier
from bakery_ops.cluster.transport import JSON, Transport
from bakery_ops.errors import OperationFailed, UsageError
from bakery_ops.model.contract import MANAGED_BY, RELEASE
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.recorded import digest
from bakery_ops.rules.releases import PENDING, PREFIX, Contents, Known, Migration, Release, release

KEPT = 10
# etcd takes 1.5 MiB per object by default and the API server 1 MiB per ConfigMap.
_LARGEST = 1_000_000

_decode_migrations = msgspec.json.Decoder(dict[str, Migration]).decode
_encode = msgspec.json.Encoder(order="sorted").encode

Body = Mapping[str, Any]


class ApiReleases:
    """The releases of one namespace."""

    def __init__(self, transport: Transport, retrier: Retrier, namespace: str) -> None:
        self._transport, self._retrier, self._namespace = transport, retrier, namespace
        self._access = Access(transport, retrier, "release")

    def known(self) -> Known:
        """What is recorded, without the texts; two requests.

        Raises: OperationFailed: the server refuses. ClusterUnreachable.
        """
        pending = self._access.read(self._ref(PENDING))
        return Known(self._numbered(), release(pending.body) if pending.status == 200 else None)

    def all(self) -> tuple[Contents, ...]:
        """Every release with its text, newest first; one request. A damaged one has the text ""."""
        found = [_contents(body, self._namespace, strict=False) for body in self._items(JSON)]
        return tuple(sorted(found, key=lambda each: -each.release.number))

    def read(self, number: int) -> Contents:
        """A release with its text.

        Raises: UsageError: there is no such release. OperationFailed: it is damaged.
        """
        found = self._access.read(self._ref(number))
        if found.status != 200:
            recorded = ", ".join(str(each.number) for each in self._numbered()) or "none"
            raise UsageError(f"There is no release {number} in {self._namespace}.", remedy=f"Recorded: {recorded}.")
        return _contents(found.body, self._namespace)

    def pending(self) -> Contents | None:
        """What was begun since the newest release, or None. Raises OperationFailed when it is damaged."""
        found = self._access.read(self._ref(PENDING))
        return _contents(found.body, self._namespace) if found.status == 200 else None

    def begin(self, text: str, facts: Mapping[str, str]) -> None:
        """Keep `text` as the one that is on its way. No write where it is already, by an earlier run of the same.

        Raises: OperationFailed: it is too large, or the server refuses. ClusterUnreachable.
        """
        content, facts = _compressed(text), {**facts, "digest": digest(text)}

        def edit(live: Body | None) -> Body | None:
            if live is not None and _same_errand(release(live).facts, facts):
                return None
            version = {} if live is None else {"resourceVersion": live["metadata"]["resourceVersion"]}
            return self._body(self._ref(PENDING), content, facts, {}, version)

        self._access.change(self._ref(PENDING), edit)

    def finish(self) -> None:
        """Nothing is on its way any more."""
        self._delete(self._ref(PENDING))

    def record(self, text: str, facts: Mapping[str, str], migrations: Mapping[str, Migration]) -> int:
        """Keep `text` as the newest release, unless the newest says the same already; returns its number.

        Raises: OperationFailed: it is too large, or the server refuses. ClusterUnreachable.
        """
        content, facts = _compressed(text), {**facts, "digest": digest(text)}
        standing = self._numbered()
        newest = standing[0].number if standing else 0
        if standing and self._says(newest, facts["digest"], migrations):
            return newest
        while True:
            newest += 1
            written = self._access.write(self._ref(newest), self._body(self._ref(newest), content, facts, migrations))
            if written.status < 300 or (written.status == 409 and self._says(newest, facts["digest"], migrations)):
                break  # ours; a 409 with our own content is a lost answer
            if written.status != 409:
                raise refused(self._ref(newest), written)
        for old in standing[KEPT - 1 :]:
            self._delete(self._ref(old.number))
        return newest

    def _ref(self, number: int | str) -> ObjectRef:
        name = number if isinstance(number, str) else f"{PREFIX}{number}"
        return ObjectRef("", "ConfigMap", self._namespace, name)

    def _numbered(self) -> tuple[Release, ...]:
        """Newest first. Metadata only: ten renders are not worth reading for a list of their numbers."""
        return tuple(sorted(map(release, self._items(METADATA_ONLY)), key=lambda each: -each.number))

    def _says(self, number: int, wanted: str, migrations: Mapping[str, Migration]) -> bool:
        found = self._access.read(self._ref(number))
        if found.status != 200:
            return False
        return release(found.body).digest == wanted and _migrations(found.body) == migrations

    def _body(
        self,
        ref: ObjectRef,
        content: str,
        facts: Mapping[str, str],
        migrations: Mapping[str, Migration],
        version: Mapping[str, str] | None = None,
    ) -> Body:
        number = {} if ref.name == PENDING else {RELEASE: ref.name.removeprefix(PREFIX)}
        labels = {MANAGED_BY: "bakery-ops", **number}
        note = _encode({"at": self._transport.clock.now(), "facts": dict(facts)}).decode()
        metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels, **(version or {})}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata | {"annotations": {RELEASE: note}},
            "data": {"migrations": _encode(migrations).decode()},
            "binaryData": {"text": content},
        }

    def _items(self, accept: str) -> Sequence[Body]:
        path, what = f"/api/v1/namespaces/{self._namespace}/configmaps", f"the releases in {self._namespace}"
        query = {"labelSelector": RELEASE}
        return items_at(self._transport, self._retrier, path, query, what=what, accept=accept, none_at=frozenset())

    def _delete(self, ref: ObjectRef) -> None:
        path = f"/api/v1/namespaces/{ref.namespace}/configmaps/{ref.name}"
        self._retrier.call(lambda: self._transport.send("release", "DELETE", path))


def _compressed(text: str) -> str:
    content = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    if len(content) > _LARGEST:
        raise OperationFailed("This release is too large to be recorded (above 1 MB compressed).")
    return content


def _same_errand(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    return all(old.get(key) == new.get(key) for key in ("digest", "rollback", "only", "destroyed"))


def _contents(body: Body, namespace: str, *, strict: bool = True) -> Contents:
    """Raises OperationFailed when it is damaged and `strict`; else it comes without text."""
    found = release(body)
    try:
        text = zlib.decompress(base64.b64decode(body["binaryData"]["text"])).decode()
        if digest(text) != found.digest:
            raise ValueError("edited")
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        if strict:
            which = f"Release {found.number}" if found.number else f"The ConfigMap {PENDING}"
            raise OperationFailed(f"{which} in {namespace} is damaged and cannot be read.") from error
        text = ""
    return Contents(found, text, _migrations(body))


def _migrations(body: Body) -> dict[str, Migration]:
    """Unreadable is unknown, which makes a rollback more careful."""
    try:
        return _decode_migrations((body.get("data") or {}).get("migrations", "{}"))
    except msgspec.MsgspecError:
        return {}
