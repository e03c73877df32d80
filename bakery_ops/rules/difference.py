"""What would change in an object: the live one against the server's own answer to a dry run, field by field.

Both sides come from the API server, so defaults and normalised quantities ("100m" for "0.1") are no difference. Values
of Secrets, and of fields that sound like one, are never part of a change: only that they differ.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from bakery_ops.model.content import OUR_ANNOTATIONS
from bakery_ops.rules.security.values import sounds_secret

MASK = "***"

_SERVERS_OWN = frozenset({"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"})
# kubectl's annotation repeats the whole object, a Secret's values too (CVE-2023-40029).
_NOTES = OUR_ANNOTATIONS | {"kubectl.kubernetes.io/last-applied-configuration"}
# By what the items of a list are told apart, in this order (the merge keys of the Kubernetes API).
_KEYS = ("name", "mountPath", "containerPort", "port", "ip", "key", "type", "topologyKey")
_LONGEST = 100


class Change(NamedTuple):
    """One field. `before`/`after`: its value in one line, "" where the field is not there."""

    path: str
    before: str
    after: str


def difference(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields that differ between two states of one object.

    Args: live, wanted: Whole objects as the API server gives them; {} for an object that is not there.
    """
    before, after = _comparable(live), _comparable(wanted)
    if "Secret" in (live.get("kind"), wanted.get("kind")):
        return (*_secret_keys(before, after), *_changes(_without_values(before), _without_values(after), ""))
    return tuple(_changes(before, after, ""))


def _comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in body.items() if key != "status"}
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _SERVERS_OWN}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key not in _NOTES}
    return {**kept, "metadata": {**metadata, "annotations": annotations}}


def _secret_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = (side.get("data") or {} for side in (before, after))
    for key in sorted({*old, *new}):
        if old.get(key) != new.get(key):
            yield Change(f"data.{key}", MASK if key in old else "", MASK if key in new else "")


def _without_values(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in ("data", "stringData")}


def _changes(before: Any, after: Any, path: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _members(before, after, path)
    elif isinstance(before, list) and isinstance(after, list) and (key := _key_of(before, after)):
        old, new = ({f"[{item[key]}]": item for item in side} for side in (before, after))
        yield from _members(old, new, path)
        yield from _order([name for name in old if name in new], [name for name in new if name in old], path)
    elif isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
        yield from _lines(before.split("\n"), after.split("\n"), path.lstrip("."))
    else:
        yield Change(path.lstrip("."), _shown(before), _shown(after))


def _members(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        step = name if name.startswith("[") else f".{name}"
        if old != new and (_is_hidden(name, before) or _is_hidden(name, after)):
            yield Change(f"{path}{step}".lstrip("."), MASK if name in before else "", MASK if name in after else "")
        else:
            yield from _changes(old, new, f"{path}{step}")


def _is_hidden(name: str, side: Mapping[str, Any]) -> bool:
    """A variable's `value` beside a telling `name`, or a key that tells by itself."""
    value = side.get(name)
    subject = side.get("name") if name == "value" else name
    return isinstance(value, str) and isinstance(subject, str) and sounds_secret(subject, value)


def _key_of(before: Sequence[Any], after: Sequence[Any]) -> str:
    """The field that tells the items of both lists apart, or ""."""
    items = [*before, *after]
    if not all(isinstance(item, Mapping) for item in items):
        return ""
    for key in _KEYS:
        sides = [[item.get(key) for item in side] for side in (before, after)]
        if all(None not in names and len(set(map(str, names))) == len(names) for names in sides):
            return key
    return ""


def _order(before: list[str], after: list[str], path: str) -> Iterator[Change]:
    """Items that changed places: init containers run, and variables expand, in the order they are written."""
    if before != after:
        yield Change(f"{path.lstrip('.')} order", " ".join(before), " ".join(after))


def _lines(before: Sequence[str], after: Sequence[str], path: str) -> Iterator[Change]:
    """A text of several lines: only the lines that differ, numbered as in the text they stand in."""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(old_to - old_from, new_to - new_from)):
            old = before[old_from + offset] if old_from + offset < old_to else ""
            new = after[new_from + offset] if new_from + offset < new_to else ""
            yield Change(f"{path} line {new_from + offset + 1}", _cut(old), _cut(new))


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return _cut(value if isinstance(value, str) else msgspec.json.encode(_redacted(value)).decode())


def _redacted(value: Any) -> Any:
    """What sounds like a secret inside a value that is shown whole, masked too."""
    if isinstance(value, Mapping):
        return {name: MASK if _is_hidden(name, value) else _redacted(item) for name, item in value.items()}
    return [_redacted(item) for item in value] if isinstance(value, list) else value


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
