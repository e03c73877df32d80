"""What a history of releases says: of each release what it changed, and which one is live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bakery_ops.model.manifest import Manifest
from bakery_ops.model.recorded import Difference, difference, read
from bakery_ops.rules.releases import Contents, Known, Release


class Row(NamedTuple):
    """One release.

    Attributes:
        is_live: It is what the cluster holds: the newest, and nothing was begun since.
        objects: How many; None when the record is damaged.
        changes: Against the release before it; None for the oldest one recorded, and beside a damaged one.
        images: "bakery/web 1 -> 2", "bakery/cache 7 added", "bakery/old 1 removed"; for the oldest () as well.
    """

    release: Release
    is_live: bool
    objects: int | None
    changes: Difference | None = None
    images: tuple[str, ...] = ()


def rows(contents: Sequence[Contents], known: Known) -> tuple[Row, ...]:
    """A row for each release, in the order they come in: newest first."""
    parsed = [_manifests(each) for each in contents]
    found = []
    for each, manifests, before in zip(contents, parsed, [*parsed, None][1:], strict=True):
        is_live = known.pending is None and each.release == known.newest
        row = Row(each.release, is_live, None if manifests is None else len(manifests))
        if manifests is not None and before is not None:
            row = row._replace(changes=difference(before, manifests), images=images(before, manifests))
        found.append(row)
    return tuple(found)


def images(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[str, ...]:
    """The images that differ, by repository."""
    old, new = _tags(before), _tags(after)
    lines = []
    for name in sorted(old.keys() | new.keys()):
        was, now = ", ".join(sorted(old.get(name, ()))), ", ".join(sorted(new.get(name, ())))
        if was and now and was != now:
            lines.append(f"{name} {was} -> {now}")
        elif was != now:
            lines.append(f"{name} {now} added" if now else f"{name} {was} removed")
    return tuple(lines)


def _tags(manifests: Sequence[Manifest]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for manifest in manifests:
        spec = manifest.pod_spec or {}
        for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            name, tag = _split(str(container.get("image") or ""))
            if name:
                found.setdefault(name, set()).add(tag)
    return found


def _split(image: str) -> tuple[str, str]:
    """Repository and tag or digest; a colon before the last slash belongs to a registry's port."""
    name, at, digest = image.partition("@")
    if at:
        return name, digest
    path, slash, last = name.rpartition("/")
    repository, colon, tag = last.partition(":")
    return f"{path}{slash}{repository}", tag if colon else "latest"


def _manifests(contents: Contents) -> tuple[Manifest, ...] | None:
    """None for a damaged text."""
    try:
        return read(contents.text, "release") or None
    except ValueError:
        return None
