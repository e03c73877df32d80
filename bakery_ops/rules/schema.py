"""Bodies against the API's published schemas: wrong types, missing and unknown fields, versions no longer served."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bakery_ops.model.kinds import group_of
from bakery_ops.model.manifest import Manifest
from bakery_ops.rules.findings import Finding, Severity, finding

_Schema = Mapping[str, Any]
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
_ANYTHING: _Schema = {}
_NUMBER = re.compile(r"v(\d+)\w*$")


class Schemas:
    """The definitions of one Kubernetes version (OpenAPI, as JSON Schema `$defs`), found by apiVersion and kind."""

    def __init__(self, definitions: Mapping[str, _Schema], version: str) -> None:
        self.version = version
        self._definitions = definitions
        self._kinds: dict[tuple[str, str], str] = {}
        self._versions: dict[str, list[str]] = {}
        for name, schema in definitions.items():
            kinds: Sequence[Any] = schema.get("x-kubernetes-group-version-kind") or ()
            if len(kinds) == 1:  # DeleteOptions and the like are of every group, and no object
                group, kind = str(kinds[0].get("group", "")), str(kinds[0].get("kind", ""))
                api_version = f"{group}/{kinds[0].get('version')}" if group else str(kinds[0].get("version"))
                self._kinds[api_version, kind] = name
                self._versions.setdefault(kind, []).append(api_version)
        self._groups = {group_of(api_version) for api_version, _ in self._kinds}

    def of(self, api_version: str, kind: str) -> _Schema | None:
        name = self._kinds.get((api_version, kind))
        return None if name is None else self._definitions[name]

    def knows_group(self, group: str) -> bool:
        return group in self._groups or group == "extensions"

    def versions(self, kind: str) -> Sequence[str]:
        """apiVersions that serve `kind`: stable before others, then the newest, which holds what older ones do."""

        def age(version: str) -> tuple[bool, bool, int, str]:
            number = _NUMBER.search(version)
            return "beta" in version, "alpha" in version, -int(number[1]) if number else 0, version

        return sorted(self._versions.get(kind, ()), key=age)

    def resolved(self, schema: _Schema) -> _Schema:
        reference = schema.get("$ref")
        return schema if reference is None else self._definitions.get(reference.rpartition("/")[2], _ANYTHING)


def check(manifests: Iterable[Manifest], schemas: Schemas) -> Iterator[Finding]:
    """Every field that the API server would refuse (docs/faults.md, rows B10 and B11). Custom kinds are not judged."""
    for manifest in manifests:
        schema = schemas.of(manifest.api_version, manifest.ref.kind)
        if schema is None:
            yield from _not_served(manifest, schemas)
            continue
        for path, problem in _walk(manifest.body, schema, "", schemas):
            yield finding("schema", Severity.PREFLIGHT, manifest, f"{path}: {problem}" if path else problem)


def _not_served(manifest: Manifest, schemas: Schemas) -> Iterator[Finding]:
    if not schemas.knows_group(manifest.ref.group):
        return
    message = f"Kubernetes {schemas.version} does not serve {manifest.ref.kind} of {manifest.api_version}"
    served = schemas.versions(manifest.ref.kind)
    remedy = f"write apiVersion: {served[0]}" if served else "remove it, or correct its kind"
    yield finding("api-version", Severity.PREFLIGHT, manifest, message, remedy)


def _walk(value: Any, schema: _Schema, path: str, schemas: Schemas) -> Iterator[tuple[str, str]]:
    schema = schemas.resolved(schema)
    if value is None:
        return
    if "oneOf" in schema:
        if not any(_is(value, choice.get("type")) for choice in schema["oneOf"]):
            yield path, "has the wrong type"
        return
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        yield path, f"is not {_called(kind)}"
        return
    allowed = schema.get("enum")
    if allowed is not None and value not in allowed:
        yield path, f"is not one of {', '.join(str(each) for each in allowed)}"
    elif value.__class__ is dict:
        yield from _object(value, schema, path, schemas)
    elif value.__class__ is list and (item := schema.get("items")) is not None:
        item = schemas.resolved(item)
        for position, each in enumerate(value):
            yield from _walk(each, item, f"{path}[{position}]", schemas)


def _object(value: Mapping[str, Any], schema: _Schema, path: str, schemas: Schemas) -> Iterator[tuple[str, str]]:
    properties = schema.get("properties")
    for name in schema.get("required") or ():
        if value.get(name) is None:
            yield path, f"{name} is missing"
    if properties is None:
        every = schema.get("additionalProperties")
        if isinstance(every, dict):
            for name, each in value.items():
                yield from _walk(each, every, f"{path}.{name}", schemas)
        return
    for name, each in value.items():
        known = properties.get(name)
        if known is not None:
            if each.__class__ is not str or "enum" in known or "$ref" in known or "string" not in known.get("type", ()):
                yield from _walk(each, known, f"{path}.{name}" if path else name, schemas)
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            close = difflib.get_close_matches(name, properties, n=1, cutoff=0.6)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            yield path or "the object", f"has an unknown field {name[:80]!r}{hint}"


def _is(value: Any, kind: str | Sequence[str] | None) -> bool:
    kinds = (kind,) if isinstance(kind, str) else kind or ()
    if value.__class__ is bool:
        return "boolean" in kinds or not kinds
    return not kinds or any(isinstance(value, _TYPES[each]) for each in kinds if each != "boolean")


def _called(kind: str | Sequence[str]) -> str:
    name = kind if isinstance(kind, str) else next(each for each in kind if each != "null")
    article = "an" if name[0] in "aeio" else "a"
    return {"boolean": "true or false", "string": "a text; put it in quotes"}.get(name, f"{article} {name}")
