"""Images that stay what they were when they were tested (docs/faults.md, row B23)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import containers
from bakery_ops.rules.findings import Finding, Severity, finding

_PLACEHOLDER = re.compile(r"\$\{|\{\{|<[a-z-]+>|CHANGE_?ME|REPLACE_?ME|YOUR[_-]|TODO", re.IGNORECASE)


def images_are_pinned(manifests: Sequence[Manifest], *, strict: bool) -> Iterator[Finding]:
    """Every image has a digest or a tag other than `latest`, and no placeholder is left in its name."""
    severity = Severity.PREFLIGHT if strict else Severity.WARNING
    for manifest in manifests:
        for container in containers(manifest.pod_spec or {}):
            image = container.get("image") or ""
            place = f"container {container.get('name')}"
            if _PLACEHOLDER.search(image):
                yield finding(
                    "image-placeholder", Severity.PREFLIGHT, manifest, f"{place}: {image[:200]!r} is a placeholder"
                )
            elif not image:
                yield finding("image-missing", Severity.USAGE, manifest, f"{place} has no image")
            elif (tag := _tag(image)) in ("", "latest"):
                what = "the tag latest" if tag else "neither tag nor digest"
                message = f"{place}: {image} has {what}, so it may be another program tomorrow"
                yield finding("image-tag", severity, manifest, message, "name a version, best with its @sha256 digest")


def _tag(image: str) -> str:
    """The tag of an image, "digest" where a digest decides, "" where there is neither."""
    if "@" in image:
        return "digest"
    name = image.rpartition("/")[2]
    return name.partition(":")[2]
