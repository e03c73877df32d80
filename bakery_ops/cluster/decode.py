"""Bytes of lists and watches to the partial structs of `model/live.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import force_setattr

from bakery_ops.model.live import Generic, LiveObject, Metadata, Shape, struct_for

_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class WatchEvent(Shape, frozen=True):
    """One line of a watch: {"type": "MODIFIED", "object": {…}}; the object is decoded by what `type` says it is."""

    type: str
    object: msgspec.Raw


class Status(Shape, frozen=True):
    """The error object of a watch."""

    code: int = 0
    reason: str = ""
    message: str = ""


class Page(NamedTuple):
    """One page of a LIST; `token` continues it, "" on the last one."""

    items: tuple[LiveObject, ...]
    resource_version: str
    token: str


class _ListMetadata(Shape, frozen=True):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _RawList(Shape, frozen=True):
    metadata: _ListMetadata = _ListMetadata()
    items: tuple[msgspec.Raw, ...] | None = None


class _Bookmark(Shape, frozen=True):
    metadata: Metadata = Metadata()


_decode_event = msgspec.json.Decoder(WatchEvent).decode
_decode_status = msgspec.json.Decoder(Status).decode
_decode_bookmark = msgspec.json.Decoder(_Bookmark).decode
_decode_raw_list = msgspec.json.Decoder(_RawList).decode
_decode_generic = msgspec.json.Decoder(Generic).decode


def watch_event(line: bytes) -> WatchEvent:
    """Raises msgspec.DecodeError for anything but a watch event."""
    return _decode_event(line)


def status(raw: bytes | msgspec.Raw) -> Status:
    return _decode_status(raw)


def bookmark(raw: msgspec.Raw) -> tuple[str, bool]:
    """(resourceVersion, whether it ends the initial events of a WatchList)."""
    metadata = _decode_bookmark(raw).metadata
    return metadata.resource_version, metadata.annotations.get(_INITIAL_EVENTS_END) == "true"


class Codec:
    """Decodes one kind. What does not fit its struct becomes a Generic: an odd object must not end a stream."""

    def __init__(self, api_version: str, kind: str) -> None:
        self.api_version, self.kind = api_version, kind
        self._struct = struct_for(api_version, kind)
        self._decode = msgspec.json.Decoder(self._struct).decode
        fields: list[tuple[str, Any, Any]] = [
            ("metadata", _ListMetadata, msgspec.field(default=_ListMetadata())),
            ("items", tuple[self._struct, ...] | None, None),  # type: ignore[name-defined] # built at run time
        ]
        self._decode_list = msgspec.json.Decoder(msgspec.defstruct(f"{kind}List", fields, frozen=True)).decode

    def object(self, raw: bytes | msgspec.Raw) -> LiveObject:
        """Raises msgspec.DecodeError when not even the metadata can be read."""
        try:
            return self._named(self._decode(raw))
        except msgspec.ValidationError:
            return self._named(_decode_generic(raw))

    def page(self, body: bytes) -> Page:
        """Raises msgspec.DecodeError when the body is not a list."""
        try:
            page: Any = self._decode_list(body)
            items: Iterable[LiveObject] = page.items or ()
        except msgspec.ValidationError:
            page = _decode_raw_list(body)
            items = (self.object(raw) for raw in page.items or ())
        named = tuple(self._named(item) for item in items)
        return Page(named, page.metadata.resource_version, page.metadata.continue_)

    def _named(self, item: LiveObject) -> LiveObject:
        """LIST items carry no kind, those of a metadata-only watch a foreign one. Nobody sees the item yet."""
        if item.kind != self.kind:
            force_setattr(item, "kind", self.kind)
            force_setattr(item, "api_version", self.api_version)
        return item


def live_object(body: Mapping[str, Any]) -> LiveObject:
    """The struct for a whole object as the API server answered it (the answer to an apply).

    Raises: msgspec.ValidationError: not even its metadata fits.
    """
    struct = struct_for(str(body.get("apiVersion", "")), str(body.get("kind", "")))
    try:
        return msgspec.convert(body, struct)
    except msgspec.ValidationError:
        return msgspec.convert(body, Generic)
