"""Dependencies that manifests declare: our annotation, wait init containers, and two annotations of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from bakery_ops.model import hooks
from bakery_ops.model.contract import PART_OF, PLATFORM, WAIT_PREFIX, WAITS_FOR
from bakery_ops.model.hooks import Moment
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.references import listed

DEPENDS_ON = "config.kubernetes.io/depends-on"
SYNC_WAVE = "argocd.argoproj.io/sync-wave"


class Wait(NamedTuple):
    """One word a workload waits for. `binding`: it follows our contract, so a word without an object is a mistake."""

    word: str
    binding: bool


def waits(manifest: Manifest) -> list[Wait]:
    """The waits of a workload, by annotation and by init containers called `wait-for-<word>`, each word once."""
    template = manifest.pod_template
    if template is None:
        return []
    notes = (template.get("metadata") or {}).get("annotations") or {}
    declared = notes.get(WAITS_FOR) or manifest.annotations.get(WAITS_FOR) or ""
    words = {word.strip(): True for word in declared.split(",") if word.strip()}
    ours = bool(declared) or manifest.labels.get(PART_OF) == PLATFORM
    for container in listed(template.get("spec") or {}, "initContainers"):
        name = container.get("name") or ""
        if name.startswith(WAIT_PREFIX):
            words.setdefault(name.removeprefix(WAIT_PREFIX), ours)
    return [Wait(word, binding) for word, binding in words.items()]


def depends_on(manifest: Manifest) -> Iterator[tuple[ObjectRef | None, str]]:
    """Objects named by `config.kubernetes.io/depends-on`, as ref (None when it is not readable) and as written.

    Written "<group>/namespaces/<namespace>/<kind>/<name>" or "<group>/<kind>/<name>", the core group as "".
    """
    for text in (manifest.annotations.get(DEPENDS_ON) or "").split(","):
        parts = text.strip().split("/")
        if len(parts) == 5 and parts[1] == "namespaces":
            yield ObjectRef(parts[0], parts[3], parts[2], parts[4]), text.strip()
        elif len(parts) == 3:
            yield ObjectRef(parts[0], parts[1], "", parts[2]), text.strip()
        elif text.strip():
            yield None, text.strip()


def waves(manifests: Sequence[Manifest]) -> Iterator[tuple[Manifest, Sequence[Manifest]]]:
    """Each object of an Argo CD sync wave with the objects of the wave before it; nothing when no object names one.

    The waves of what runs before or after the others are apart from theirs.
    """
    if not any(SYNC_WAVE in manifest.annotations for manifest in manifests):
        return
    by_wave: dict[tuple[Moment, int], list[Manifest]] = {}
    for manifest in manifests:
        by_wave.setdefault((hooks.moment(manifest), _wave(manifest)), []).append(manifest)
    ordered = [by_wave[wave] for wave in sorted(by_wave)]
    for earlier, later in pairwise(ordered):
        for manifest in later:
            yield manifest, earlier


def _wave(manifest: Manifest) -> int:
    try:
        return int(manifest.annotations.get(SYNC_WAVE, "0"))
    except ValueError:
        return 0
