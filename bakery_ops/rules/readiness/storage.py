"""PersistentVolumeClaim: bound, or waiting for its pod on purpose, or waiting in vain."""

from __future__ import annotations

from bakery_ops.model.live import PersistentVolumeClaim
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.observation import StorageClassFacts
from bakery_ops.rules.readiness.reading import Reading, against, progressing, ready

_FAILURES = ("ProvisioningFailed", "FailedBinding")
_RESIZING = ("Resizing", "FileSystemResizePending")


def claim(look: Look, live: PersistentVolumeClaim) -> Reading:
    """Bound is Ready. One whose class waits for the first consumer is Ready for ordering: its pod must come first."""
    phase = live.status.phase
    if phase == "Bound":
        resizing = [one.type for one in live.status.conditions if one.type in _RESIZING and one.status == "True"]
        return progressing(resizing[0], counters=(1,)) if resizing else ready("bound")
    found = symptoms(look, live)
    if not found and (chosen := _class_of(look, live)) is not None and chosen.waits_for_consumer and phase != "Lost":
        return ready("waits for the pod that mounts it")
    return against(look, found, progressing("not bound yet", counters=(0,)))


def symptoms(look: Look, live: PersistentVolumeClaim) -> list[Symptom]:
    """Evidence that this claim will not be bound; a StatefulSet asks for its claims too."""
    subject, uid = subject_of(live), live.metadata.uid
    if live.status.phase == "Lost":
        return [Symptom(rows.CLAIM_LOST, "Lost", "its volume is gone", subject, uid)]
    found = []
    if not live.spec.volume_name and (problem := _class_problem(look, live)):
        found.append(Symptom(rows.CLASS_MISSING, "StorageClassMissing", problem, subject, uid))
    failures = [event for event in look.events_of(uid) if event.reason in _FAILURES]
    if failures and not found:
        message = one_line(failures[-1].message)
        found.append(Symptom(rows.PROVISIONING, failures[-1].reason, message, subject, uid))
    return found


def _class_of(look: Look, live: PersistentVolumeClaim) -> StorageClassFacts | None:
    """The class the claim names, else the default one. A name of "" asks for none at all."""
    classes = look.cluster.storage_classes or ()
    name = live.spec.storage_class_name
    chosen = [one for one in classes if (one.is_default if name is None else one.name == name)]
    return chosen[0] if len(chosen) == 1 else None


def _class_problem(look: Look, live: PersistentVolumeClaim) -> str:
    classes, name = look.cluster.storage_classes, live.spec.storage_class_name
    if classes is None or name == "":
        return ""
    if name is not None:
        return "" if any(one.name == name for one in classes) else f'StorageClass "{name}" does not exist'
    defaults = [one.name for one in classes if one.is_default]
    if not defaults:
        return "it names no StorageClass and there is no default one"
    # A current server writes its choice into the claim; one that left it open chooses nothing.
    return (
        ""
        if len(defaults) == 1
        else f"it names no StorageClass and there are several defaults: {', '.join(sorted(defaults))}"
    )
