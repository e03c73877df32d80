"""Our contract on waiting: one declaration, two readers; and Jobs that end (docs/readiness.md, section 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakery_ops.model.contract import PART_OF, PLATFORM, WAIT_PREFIX, WAITS_FOR
from bakery_ops.model.manifest import Manifest
from bakery_ops.model.references import listed
from bakery_ops.rules.findings import Finding, Severity, finding


def waits_are_declared_once(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """The annotation and the init containers say the same."""
    for manifest in manifests:
        template = manifest.pod_template or {}
        note = ((template.get("metadata") or {}).get("annotations") or {}).get(WAITS_FOR)
        if note is None and manifest.labels.get(PART_OF) != PLATFORM:
            continue
        written = {word.strip() for word in (note or "").split(",") if word.strip()}
        inits = {
            name.removeprefix(WAIT_PREFIX)
            for container in listed(manifest.pod_spec or {}, "initContainers")
            for name in (container.get("name") or "",)
            if name.startswith(WAIT_PREFIX)
        }
        if written - inits:
            message = f"{WAITS_FOR} names {_listed(written - inits)}, but there is no init container of that name"
            yield finding("waits", Severity.USAGE, manifest, message, f"add {WAIT_PREFIX}{min(written - inits)}")
        if inits - written:
            message = f"init containers wait for {_listed(inits - written)}, but {WAITS_FOR} does not say so"
            yield finding("waits", Severity.USAGE, manifest, message, f"add it to the annotation {WAITS_FOR}")


def jobs_end(manifests: Sequence[Manifest]) -> Iterator[Finding]:
    """A Job without a deadline can hang for ever, and one whose pods vanish keeps no log."""
    for manifest in manifests:
        if not manifest.ref.is_job or manifest.labels.get(PART_OF) != PLATFORM:
            continue
        if manifest.spec.get("activeDeadlineSeconds") is None:
            yield finding("job-deadline", Severity.USAGE, manifest, "has no activeDeadlineSeconds, so it may never end")
        if manifest.spec.get("ttlSecondsAfterFinished") == 0:
            message = "is removed the moment it ends, so its outcome cannot be read"
            yield finding("job-deadline", Severity.USAGE, manifest, message, "keep it for a day: 86400")


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))
