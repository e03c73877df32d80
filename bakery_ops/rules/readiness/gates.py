"""Checks before the rule of a kind: is the object there, is it ours, and has its controller seen our version?"""

from __future__ import annotations

from dataclasses import replace
from math import floor

from bakery_ops.model.live import (
    DaemonSet,
    Deployment,
    Generic,
    LiveObject,
    PodDisruptionBudget,
    ReplicaSet,
    StatefulSet,
)
from bakery_ops.model.times import time_or
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.conditions import status_of
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, accused, against, progressing, ready

# Kinds whose status says for which generation it was written, always.
OBSERVED = (Deployment, StatefulSet, DaemonSet, ReplicaSet, PodDisruptionBudget)

# How long after its grace period a terminating object may take before its finalizers are worth a word (seconds).
FINALIZER_GRACE = 60.0


def missing(look: Look) -> Reading:
    """The object is not in the cache: late, or deleted by somebody. A finished Job may go by its own TTL."""
    ref = look.observation.node.ref
    if look.before.completed:
        return ready("complete, and removed since")
    if not look.before.uid:
        row, message = rows.NEVER_SEEN, "the object was applied and is not in the cluster"
    elif ref.is_job:
        row, message = rows.OUTCOME_UNKNOWN, "the Job vanished before its end was seen; run it again if it is safe to"
    else:
        row, message = rows.GONE, "somebody deleted the object"
    reason = "OutcomeUnknown" if row is rows.OUTCOME_UNKNOWN else "Disappeared"
    weighed = look.weigh(Symptom(row, reason, message, str(ref), look.uid))
    if weighed.failed:
        return accused((weighed,), progressing(message))
    return progressing("not seen in the cluster yet" if not look.before.uid else "not in the cluster")


def replaced(look: Look, live: LiveObject) -> Reading | None:
    """Another object bears the name. An older one is what we just replaced; a younger one was put there by somebody."""
    applied = look.observation.applied
    if applied is None or not applied.uid or applied.uid == live.metadata.uid:
        return None
    if time_or(live.metadata.creation_timestamp, look.now) < floor(applied.at):
        return progressing("the object before ours is still there")
    message = "somebody replaced the object we applied"
    weighed = look.weigh(Symptom(rows.REPLACED, "Replaced", message, subject_of(live), live.metadata.uid))
    return accused((weighed,), progressing(message)) if weighed.failed else progressing(message)


def terminating(look: Look, live: LiveObject) -> Reading | None:
    """Being deleted. The timestamp already includes the grace period; long after it, finalizers hold the object."""
    metadata = live.metadata
    if metadata.deletion_timestamp is None or live.kind == "Namespace":
        return None
    late = time_or(metadata.deletion_timestamp, look.now) + FINALIZER_GRACE
    if look.now < late:
        look.wake(late)
        return progressing("terminating")
    holders = ", ".join(metadata.finalizers)
    message = (
        f"terminating, held by {holders}" if holders else "terminating; its cluster node has not confirmed the end"
    )
    symptom = Symptom(rows.FINALIZERS, "Terminating", message, subject_of(live), metadata.uid)
    return against(look, [symptom], progressing(message))


def unobserved(look: Look, live: LiveObject) -> Reading | None:
    """The controller, or the cache, is behind: then no other field of the status means anything."""
    applied = look.observation.applied
    wanted = max(live.metadata.generation, applied.generation if applied is not None else 0)
    if isinstance(live, OBSERVED):
        observed = live.status.observed_generation or 0
        return progressing("its controller has not seen this version yet") if observed < max(wanted, 1) else None
    # Not every kind counts its generations (PersistentVolumeClaim, Service, ConfigMap do not).
    if 0 < live.metadata.generation < wanted:
        return progressing("the cache shows the version before ours")
    if isinstance(live, Generic):
        told = status_of(live).get("observedGeneration")
        if isinstance(told, int) and told < wanted:
            return progressing("its controller has not seen this version yet")
    return None


def superseded(look: Look, live: LiveObject, reading: Reading) -> Reading:
    """Somebody wrote a newer spec than ours: worth a note, and the newer one is what we follow.

    Scaling is no such note: an autoscaler raises the generation too.
    """
    applied = look.observation.applied
    if applied is None or live.metadata.uid != applied.uid or live.metadata.generation <= applied.generation:
        return reading
    manifest = look.observation.node.manifest
    wanted = manifest.spec.get("replicas")
    if isinstance(live, Deployment | StatefulSet | ReplicaSet) and wanted != live.spec.replicas:
        return reading
    note = f"{subject_of(live)} was changed by another writer after our apply"
    return replace(reading, warnings=(*reading.warnings, note))
