"""Which fields of a live object are no longer as we applied them. Told from managedFields, without comparing values.

Kubernetes "Server-Side Apply", ownership: a field of ours that somebody changes by an update leaves our field set, and
so does one that another manager forces; a field somebody sets to the very value we set stays ours. So while the
recorded content hash is the wanted one, a wanted field is unchanged exactly when our manager still owns it. Comparing
values instead would report "100m" against "0.1" and every default the server or a webhook fills in.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bakery_ops.model.contract import FIELD_MANAGER
from bakery_ops.model.manifest import Manifest

Fields = Mapping[str, Any]

# Never in managedFields: identity, and what the server owns (structured-merge-diff strips them).
_UNTRACKED_METADATA = frozenset(
    {"name", "namespace", "creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"}
)
_UNTRACKED = frozenset({"apiVersion", "kind", "status"})
# What the server never lets anyone own: a Secret's values are written by another field, a request for a certificate
# keeps its spec for good (Kubernetes, certificates strategy, GetResetFields).
_UNOWNED = {"Secret": frozenset({"data", "stringData"}), "CertificateSigningRequest": frozenset({"spec"})}


class Drift(NamedTuple):
    """One wanted field that is no longer ours: `path` like "spec.template.spec.containers[app].image"; `manager` is
    who owns it now, or "" when it was removed."""

    path: str
    manager: str

    def __str__(self) -> str:
        return f"{self.path} changed by {self.manager}" if self.manager else f"{self.path} removed"


def drift(manifest: Manifest, live: Mapping[str, Any], *, manager: str = FIELD_MANAGER) -> tuple[Drift, ...]:
    """The fields of `manifest` that `manager` applied and no longer owns in `live` (a whole object as a dictionary).

    An object we never applied has no field set of ours: then every field is drift, reported as one with path "".
    """
    entries = (live.get("metadata") or {}).get("managedFields") or []
    ours = [entry for entry in entries if _is_apply_of(entry, manager, manifest.api_version)]
    if not ours:
        return (Drift("", ""),)
    owned = ours[0].get("fieldsV1") or {}
    lost = list(_lost(_tracked(manifest), owned))
    if manifest.ref.kind == "Secret":
        lost += [(("data", key), ("f:data", f"f:{key}")) for key in _changed_secret_keys(manifest.body, live)]
    others = [entry for entry in entries if entry not in ours]
    return tuple(Drift(_spelled(path), _owner(keys, others)) for path, keys in lost)


def _is_apply_of(entry: Mapping[str, Any], manager: str, api_version: str) -> bool:
    return (
        entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and entry.get("apiVersion") == api_version
        and not entry.get("subresource")
    )


def _tracked(manifest: Manifest) -> dict[str, Any]:
    untracked = _UNTRACKED | _UNOWNED.get(manifest.ref.kind, frozenset())
    body = {key: value for key, value in manifest.body.items() if key not in untracked}
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _UNTRACKED_METADATA}
    return {**body, "metadata": metadata}


Path = tuple[str, ...]
_DEFAULTS = {"protocol": "TCP"}


def _lost(wanted: Any, owned: Fields, path: Path = (), keys: Path = ()) -> Iterator[tuple[Path, Path]]:
    """Pairs (path for people, path of managedFields keys) of wanted values that `owned` does not hold.

    `owned` decides how deep to look: where it ends in {} the value is a scalar or atomic and owned as a whole.
    """
    if isinstance(wanted, Mapping):
        members = [(str(name), f"f:{name}", value) for name, value in wanted.items()]
    elif isinstance(wanted, list):
        members = list(_members(wanted, owned))
    else:
        return
    for label, key, value in members:
        if value is None or value in ({}, []):
            continue  # the server may drop a null or an empty value without owning it
        if key not in owned and not (key.startswith("f:") and isinstance(value, Mapping)):
            yield (*path, label), (*keys, key)
        elif owned.get(key, True):
            # Of a map that is gone its members are named, so that the report says spec.replicas and not spec.
            yield from _lost(value, owned.get(key) or {}, (*path, label), (*keys, key))


def _members(items: list[Any], owned: Fields) -> Iterator[tuple[str, str, Any]]:
    for index, item in enumerate(items):
        if isinstance(item, Mapping):
            key = next((key for key in owned if _names(key, item)), f"i:{index}")
            yield _label(key, item, index), key, item
        else:
            yield f"[{item}]", next((key for key in owned if _is_value(key, item)), f"v:{json.dumps(item)}"), item


def _is_value(key: str, item: Any) -> bool:
    """Whether `key` (v:"müller") is this item of a set, however the server escapes it."""
    return key.startswith("v:") and json.loads(key[2:]) == item


def _names(key: str, item: Mapping[str, Any]) -> bool:
    """Whether `key` (k:{"containerPort":80,"protocol":"TCP"}) is this item's. Key fields have defaults: that of a
    protocol is TCP, those of custom kinds are not known."""
    if not key.startswith("k:"):
        return False
    given = {name: value for name, value in item.items() if value is not None}
    return all(given.get(name, _DEFAULTS.get(name, value)) == value for name, value in json.loads(key[2:]).items())


def _label(key: str, item: Mapping[str, Any], index: int) -> str:
    if key.startswith("k:"):
        return f"[{','.join(str(value) for value in json.loads(key[2:]).values())}]"
    return f"[{item.get('name', index)}]"


def _spelled(path: Path) -> str:
    return "".join(part if part.startswith("[") else f".{part}" for part in path).lstrip(".")


def _owner(keys: Path, others: list[Mapping[str, Any]]) -> str:
    for entry in others:
        fields: Any = entry.get("fieldsV1") or {}
        for key in keys:
            fields = fields.get(key) if isinstance(fields, Mapping) else None
            if fields is None:
                break
        else:
            return str(entry.get("manager", ""))
    return ""


def _changed_secret_keys(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[str]:
    """stringData is write-only and never owned after the write, so a Secret's values are compared themselves."""
    data = live.get("data") or {}
    texts = wanted.get("stringData") or {}
    for key, text in texts.items():
        if data.get(key) != base64.b64encode(str(text).encode()).decode():
            yield key
    for key, encoded in (wanted.get("data") or {}).items():
        if key not in texts and encoded is not None and data.get(key, "") != "".join(str(encoded).split()):
            yield key
