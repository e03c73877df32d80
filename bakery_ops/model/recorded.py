"""A render as it is kept in the cluster: one line of JSON an object, and never a Secret's values.

A Secret that brings values is kept as its name, type and labels only, with a note; whoever deploys the text again
leaves the live Secret as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import msgspec

from bakery_ops.model.content import OUR_ANNOTATIONS, canonical, content_hash
from bakery_ops.model.kinds import group_of
from bakery_ops.model.manifest import Body, Manifest, ObjectRef

VALUES_KEPT = "bakery-ia.dev/values-kept-in-the-cluster"

_decode = msgspec.json.Decoder(dict).decode


class Difference(NamedTuple):
    """Objects that only the second render has, that it lost, and that it says something else about; each sorted."""

    added: tuple[ObjectRef, ...]
    removed: tuple[ObjectRef, ...]
    changed: tuple[ObjectRef, ...]

    def lines(self) -> list[str]:
        """A line for each: "changed: deployment/web"."""
        parts = zip(("added", "removed", "changed"), self, strict=True)
        return [f"{word}: {ref}" for word, refs in parts for ref in refs]


def recorded(manifests: Iterable[Manifest]) -> str:
    """The text to keep; the same for any order of the same objects."""
    kept = sorted((without_values(manifest) for manifest in manifests), key=lambda each: each.ref)
    return "".join(f"{canonical(manifest.body).decode()}\n" for manifest in kept)


def read(text: str, source: str) -> tuple[Manifest, ...]:
    """The manifests of a kept text; `source` names it in errors. Raises ValueError: this is no such text."""
    # JSON leaves U+0085 and U+2028 as they are, and splitlines would end a line there.
    lines = text.removesuffix("\n").split("\n") if text else []
    return tuple(_manifest(_decode(line), f"{source}, object {number}") for number, line in enumerate(lines, 1))


def digest(text: str) -> str:
    """SHA-256 of the text, 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def without_values(manifest: Manifest) -> Manifest:
    """`manifest`; if it is a Secret with values, only what identifies it. Its annotations may repeat the values
    (`kubectl apply` keeps a copy there), so they are left out too."""
    body = manifest.body
    if manifest.ref.kind != "Secret" or not (body.get("data") or body.get("stringData")):
        return manifest
    metadata = {key: body["metadata"][key] for key in ("name", "namespace", "labels") if key in body["metadata"]}
    metadata["annotations"] = {VALUES_KEPT: "true"}
    kept = {key: body[key] for key in ("apiVersion", "kind", "type") if key in body}
    return replace(manifest, body={**kept, "metadata": metadata})


def masked(body: Body, stars: str) -> dict[str, Any]:
    """`body`; if it is a Secret's, with `stars` for each value.

    Of its annotations only ours stay: kubectl's last-applied-configuration holds the values as well.
    """
    if body.get("kind") != "Secret":
        return dict(body)
    sections = {name: dict.fromkeys(body[name], stars) for name in ("data", "stringData") if body.get(name)}
    metadata = dict(body.get("metadata") or {})
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key in OUR_ANNOTATIONS}
    return {**body, "metadata": metadata, **sections}


def keeps_values(manifest: Manifest) -> bool:
    """Whether this is a recorded Secret, whose keys and values only the cluster has."""
    return manifest.ref.kind == "Secret" and VALUES_KEPT in manifest.annotations


def difference(before: Iterable[Manifest], after: Iterable[Manifest]) -> Difference:
    """What `after` does otherwise than `before`, values of Secrets apart."""
    old = {manifest.ref: content_hash(without_values(manifest)) for manifest in before}
    new = {manifest.ref: content_hash(without_values(manifest)) for manifest in after}
    return Difference(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(ref for ref in new.keys() & old.keys() if new[ref] != old[ref])),
    )


def _manifest(body: Body, source: str) -> Manifest:
    try:
        api_version, metadata = body["apiVersion"], body["metadata"]
        ref = ObjectRef(group_of(api_version), body["kind"], metadata.get("namespace", ""), metadata["name"])
    except (KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{source} is no object") from error
    return Manifest(ref, api_version, body, source)
