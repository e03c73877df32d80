"""What an object says, as one hash; and the object with our own notes (hash, fence) written onto it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from bakery_ops.model.contract import CONTENT_HASH, FENCE, INVENTORY
from bakery_ops.model.manifest import Body, Manifest

OUR_ANNOTATIONS = frozenset({CONTENT_HASH, FENCE, INVENTORY})

# Filled in by the server, never part of what we want.
_SERVER_METADATA = frozenset({"creationTimestamp", "managedFields", "resourceVersion", "uid", "generation", "selfLink"})


def content_hash(manifest: Manifest) -> str:
    """SHA-256 (64 hex digits) of the body as canonical JSON, without our own annotations and the server's fields.

    Two bodies that differ only in key order, in `status`, or in what we noted ourselves have one hash.
    """
    return hashlib.sha256(canonical(_wanted(manifest.body))).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: one text for one value."""
    return msgspec.json.encode(value, order="deterministic")


def stamped(manifest: Manifest, digest: str, *, fence: int | None = None) -> Manifest:
    """The manifest to send: `digest` (and the Lease's transition count) as annotations on the object.

    Never on the pod template: a new fence must not restart a pod.
    """
    notes = {CONTENT_HASH: digest} | ({} if fence is None else {FENCE: str(fence)})
    metadata = dict(manifest.body.get("metadata") or {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **notes}
    return replace(manifest, body={**manifest.body, "metadata": metadata})


def recorded_hash(live: Mapping[str, Any]) -> str:
    """The content hash our last apply noted on a live object, or ""."""
    annotations = (live.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(CONTENT_HASH, ""))


def shows_write(live: Mapping[str, Any], written: Manifest) -> bool:
    """Whether a live object proves that this stamped manifest was applied to it: it bears the same hash and fence.

    The hash alone proves nothing where what we wrote before has drifted. A manifest that asks for a UID changes an
    object that bears our notes already, so nothing can prove it.
    """
    metadata = written.body.get("metadata") or {}
    wanted, found = metadata.get("annotations") or {}, (live.get("metadata") or {}).get("annotations") or {}
    if CONTENT_HASH not in wanted or "uid" in metadata:
        return False
    return all(found.get(note) == wanted.get(note) for note in (CONTENT_HASH, FENCE))


def _wanted(body: Body) -> dict[str, Any]:
    wanted = {key: value for key, value in body.items() if key != "status"}
    metadata = {key: value for key, value in (wanted.get("metadata") or {}).items() if key not in _SERVER_METADATA}
    annotations = {
        key: value for key, value in (metadata.pop("annotations", None) or {}).items() if key not in OUR_ANNOTATIONS
    }
    if annotations:
        metadata["annotations"] = annotations
    wanted["metadata"] = metadata
    return wanted
