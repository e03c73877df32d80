"""What manifests may ask for, and what they may hold. One module per subject; `strict` is how production is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model.manifest import Manifest
from bakery_ops.rules.findings import Finding
from bakery_ops.rules.security import images, namespaces, pods, values


def check(manifests: Sequence[Manifest], *, namespace: str, strict: bool) -> Iterator[Finding]:
    """All security rules. `namespace`: where the profile deploys to."""
    yield from namespaces.stays_at_home(manifests, namespace, strict=strict)
    yield from pods.no_more_rights_than_allowed(manifests, strict=strict)
    yield from images.images_are_pinned(manifests, strict=strict)
    yield from values.secrets_are_secret(manifests, strict=strict)
