"""Rendered YAML to manifests: every mistake of the whole text in one error, and never a line of a body in it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bakery_ops.errors import TargetRefused, UsageError
from bakery_ops.model import hooks, kinds, yaml_text
from bakery_ops.model.content import canonical
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.shapes import misshapen

MAX_OBJECT = 1024 * 1024
"""Bytes of JSON. etcd refuses a request above 1.5 MiB, and the server's own additions need room."""

_SHOWN = 50
_SOURCE = re.compile(r"^---[ \t]*\r?\n# Source: (.+?)\r?$", re.MULTILINE)


class Documents(NamedTuple):
    """The manifests of a text, and remarks about objects that were left out."""

    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...]


def load(text: str, source: str, *, namespace: str) -> tuple[Manifest, ...]:
    """The objects of a YAML stream, in its order, each with the namespace it will be applied to.

    Args:
        text: YAML documents. A comment `# Source: FILE` right below a `---` says that a file starts on the next line;
            errors then name that file and its own lines.
        source: Names the text in errors.
        namespace: For namespaced objects that name none.
    Raises:
        UsageError: whose details list every mistake: "redis.yaml:3:7: duplicate key 'name'".
        TargetRefused: no object at all.
    """
    return read(text, source, namespace=namespace).manifests


def read(text: str, source: str, *, namespace: str) -> Documents:
    """As `load`, together with notes on objects that are no part of a deploy. Empty documents are none."""
    places = _Places(text, source)
    reading = yaml_text.read(text)
    problems = [f"{places.at(line)}:{column}: {what}" for line, column, what in reading.problems]
    notes: list[str] = []
    found: list[tuple[Any, str]] = []
    for document in reading.documents:
        if document.value is not None:
            found += _expanded(document.value, places.at(document.line))
    scopes = kinds.Scopes(body for body, _ in found if isinstance(body, dict))
    manifests: list[Manifest] = []
    for body, where in found:
        wrong = _wrong(body)
        if wrong:
            problems += [f"{where}: {what}" for what in wrong]
        elif hook := hooks.of_another_moment(body["metadata"].get("annotations") or {}):
            notes.append(f"{where}: {hook}, which is no part of a deploy, was skipped{_identity(body)}")
        else:
            manifests.append(_manifest(body, where, namespace, scopes))
    problems += _twice(manifests)
    if problems:
        more = len(problems) - _SHOWN
        details = problems[:_SHOWN] + ([f"and {more} more"] if more > 0 else [])
        count, remedy = "a mistake", "correct it and run again"
        if len(problems) > 1:
            count, remedy = f"{len(problems)} mistakes", "correct them and run again"
        raise UsageError(f"{source} has {count}", details=details, remedy=remedy)
    if not manifests:
        remedy = "deploying nothing would remove everything; name the right overlay"
        raise TargetRefused(f"{source} renders no objects", remedy=remedy)
    return Documents(tuple(manifests), tuple(notes))


class _Places:
    """Where a line of the whole text stands for the user: its file and the line there."""

    def __init__(self, text: str, source: str) -> None:
        self._starts = [0]
        self._names = [source]
        line, position = 0, 0
        for marker in _SOURCE.finditer(text):
            line += text.count("\n", position, marker.end())
            position = marker.end()
            self._starts.append(line + 1)
            self._names.append(marker[1])

    def at(self, line: int) -> str:
        index = bisect_right(self._starts, line - 1) - 1
        return f"{self._names[index]}:{line - self._starts[index]}"


def _expanded(value: Any, where: str) -> Iterator[tuple[Any, str]]:
    """A List's items as objects; items of a typed list (ConfigMapList) need not repeat their kind."""
    kind = value.get("kind") if isinstance(value, dict) else None
    items = value.get("items") if isinstance(value, dict) else None
    if kind == "List" and items is None:  # an empty list as Go writes it
        return
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield value, where
        return
    typed = {"apiVersion": value.get("apiVersion"), "kind": kind[:-4]} if kind != "List" else {}
    for number, item in enumerate(items, 1):
        if isinstance(item, dict):
            yield from _expanded({**typed, **item}, f"{where} item {number}")
        else:
            yield item, f"{where} item {number}"


def _wrong(body: Any) -> list[str]:
    """What keeps a document from being an object, in words that quote at most its identity."""
    if not isinstance(body, dict):
        return [f"a document is an object with apiVersion, kind and metadata, not a {_called(body)}"]
    metadata = body.get("metadata")
    identity = _identity(body)
    wrong = []
    for name, value in (("apiVersion", body.get("apiVersion")), ("kind", body.get("kind"))):
        if not isinstance(value, str) or not value:
            wrong.append(f"{name} is {'missing' if value is None else 'not a text'}{identity}")
    if not isinstance(metadata, dict):
        wrong.append(f"metadata is {'missing' if metadata is None else 'not a mapping'}{identity}")
        return wrong
    if metadata.get("generateName") and not metadata.get("name"):
        wrong.append(f"generateName is not supported, since a rerun could not find the object again{identity}")
    elif not isinstance(metadata.get("name"), str) or not metadata["name"]:
        wrong.append(f"metadata.name is {'missing' if metadata.get('name') is None else 'not a text'}{identity}")
    if not isinstance(metadata.get("namespace", ""), str | None):
        wrong.append(f"metadata.namespace is not a text{identity}")
    if not wrong:
        wrong += [f"{what}{identity}" for what in misshapen(body)]
        if len(canonical(body)) > MAX_OBJECT:
            wrong.append(f"the object is larger than 1 MiB, which the cluster's store does not take{identity}")
    return wrong


def _called(value: Any) -> str:
    return "list" if isinstance(value, list) else "single value"


def _identity(body: Mapping[str, Any]) -> str:
    raw = body.get("metadata")
    metadata = raw if isinstance(raw, dict) else {}
    words = {"kind": body.get("kind"), "name": metadata.get("name"), "namespace": metadata.get("namespace")}
    known = [f"{key} {value[:253]!r}" for key, value in words.items() if isinstance(value, str) and value]
    return f" ({', '.join(known)})" if known else ""


def _manifest(body: dict[str, Any], where: str, namespace: str, scopes: kinds.Scopes) -> Manifest:
    api_version, kind, metadata = body["apiVersion"], body["kind"], body["metadata"]
    group = kinds.group_of(api_version)
    if scopes.is_namespaced(group, kind):
        if not metadata.get("namespace"):
            body = {**body, "metadata": {**metadata, "namespace": namespace}}
        ref = ObjectRef(group, kind, body["metadata"]["namespace"], metadata["name"])
    else:
        if "namespace" in metadata:
            body = {**body, "metadata": {key: value for key, value in metadata.items() if key != "namespace"}}
        ref = ObjectRef(group, kind, "", metadata["name"])
    return Manifest(ref, api_version, body, where)


def _twice(manifests: list[Manifest]) -> Iterator[str]:
    first: dict[ObjectRef, Manifest] = {}
    for manifest in manifests:
        known = first.setdefault(manifest.ref, manifest)
        if known is not manifest:
            yield f"{manifest.source}: {manifest.ref} is already defined at {known.source}"
