"""Server-side apply on plain dictionaries: leaves, ownership, merge, conflicts ("Server-Side Apply", Kubernetes)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Path = tuple[str, ...]
Leaves = dict[Path, Any]

# The associative lists the tests use: list field -> its key fields, with the defaults the server gives them.
_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "port", "protocol"),
    "imagePullSecrets": ("name",),
}
_DEFAULTS = {"protocol": "TCP"}
_IDENTITY = {
    ("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"), ("f:metadata", "f:uid"),
    ("f:metadata", "f:generation"), ("f:metadata", "f:creationTimestamp"), ("f:metadata", "f:resourceVersion"),
    ("f:metadata", "f:managedFields"),
}  # fmt: skip


def leaves(body: Mapping[str, Any]) -> Leaves:
    """Path -> value of every scalar, atomic list and empty map, without identity and status."""
    found: Leaves = {}
    _collect(body, (), "", found)
    return {path: value for path, value in found.items() if path not in _IDENTITY and path[0] != "f:status"}


def _collect(value: Any, path: Path, name: str, found: Leaves) -> None:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            if item is not None:
                _collect(item, (*path, f"f:{key}"), key, found)
    elif isinstance(value, list) and value and name in _KEYS and all(isinstance(item, Mapping) for item in value):
        for item in value:
            _collect(item, (*path, _key(name, item)), "", found)
    elif isinstance(value, list) and name == "finalizers":
        for item in value:
            found[(*path, f"v:{json.dumps(item)}")] = item
    else:
        found[path] = value


def _key(name: str, item: Mapping[str, Any]) -> str:
    fields = {field: item.get(field, _DEFAULTS.get(field)) for field in _KEYS[name]}
    present = {field: value for field, value in fields.items() if value is not None}
    if name == "ports" and "containerPort" in present:
        present.pop("port", None)
    return "k:" + json.dumps(present, separators=(",", ":"))


def fields_v1(held: Leaves) -> dict[str, Any]:
    """Owned paths as managedFields spell them."""
    tree: dict[str, Any] = {}
    for path in held:
        node = tree
        for part in path:
            node = node.setdefault(part, {})
            if part.startswith("k:"):
                node.setdefault(".", {})
    return tree


def conflicts(
    body: Mapping[str, Any], wanted: Leaves, others: Mapping[tuple[str, str], Leaves]
) -> list[tuple[str, Path]]:
    """(manager, path) of every wanted field that another manager owns with another value."""
    now = leaves(body)
    return [
        (manager, path)
        for (manager, _), held in others.items()
        for path, value in wanted.items()
        if path in held and now.get(path) != value
    ]


def merge(body: dict[str, Any], wanted: Mapping[str, Any]) -> None:
    """Set everything `wanted` says in `body`."""
    for key, value in wanted.items():
        if value is None:
            continue
        there = body.get(key)
        if isinstance(value, Mapping) and isinstance(there, dict):
            merge(there, value)
        elif isinstance(value, list) and isinstance(there, list) and key in _KEYS:
            _merge_items(key, there, value)
        else:
            body[key] = value


def _merge_items(name: str, there: list[Any], wanted: list[Any]) -> None:
    by_key = {_key(name, item): item for item in there}
    for item in wanted:
        if (known := by_key.get(_key(name, item))) is not None:
            merge(known, item)
        else:
            there.append(item)


def remove(body: dict[str, Any], path: Path) -> None:
    """Delete the field at `path`, and the maps and items that become empty by it."""
    head, *rest = path
    if head.startswith("f:"):
        key = head[2:]
        if key not in body:
            return
        value = body[key]
        if not rest:
            del body[key]
        elif isinstance(value, list):
            _remove_item(value, rest)
            if not value:
                del body[key]
        elif isinstance(value, dict):
            remove(value, tuple(rest))
            if not value:
                del body[key]


def _remove_item(items: list[Any], path: list[str]) -> None:
    head, *rest = path
    wanted = json.loads(head[2:])
    for item in list(items):
        if isinstance(item, dict):
            if all(item.get(key, _DEFAULTS.get(key)) == value for key, value in wanted.items()):
                if rest:
                    remove(item, tuple(rest))
                if not rest or not item:
                    items.remove(item)
        elif item == wanted:
            items.remove(item)
