"""Faults put into manifests for a rehearsal: the annotation that simulated nodes obey, on the pods of a workload."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from bakery_ops.model.manifest import Manifest
from bakery_ops.sandbox.kwok import SIMULATE


def with_faults(manifests: Iterable[Manifest], faults: Mapping[str, str]) -> tuple[Manifest, ...]:
    """The manifests with a fault (one of `failures.MODES`) in each workload that `faults` names."""
    return tuple(
        _broken(manifest, faults[manifest.ref.name])
        if manifest.pod_template is not None and manifest.ref.name in faults
        else manifest
        for manifest in manifests
    )


def _broken(manifest: Manifest, fault: str) -> Manifest:
    body = copy.deepcopy(dict(manifest.body))
    changed = Manifest(manifest.ref, manifest.api_version, body, manifest.source)
    template = changed.pod_template
    assert isinstance(template, dict)  # noqa: S101 the caller asked; a copy of a mapping is a dictionary
    template.setdefault("metadata", {}).setdefault("annotations", {})[SIMULATE] = fault
    return changed
