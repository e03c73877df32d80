"""Conditions of any object, and the checks that go by them alone (Kubernetes API conventions, kstatus)."""

from __future__ import annotations

from typing import Any

from bakery_ops.model.live import Condition, Generic, LiveObject
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, against, progressing
from bakery_ops.rules.readiness.workloads import is_current


def conditions_of(live: LiveObject) -> tuple[Condition, ...]:
    """The object's conditions that speak of its present generation; an older one is as good as absent."""
    generation = live.metadata.generation
    return tuple(
        condition
        for condition in _all_conditions(live)
        if condition.observed_generation is None or condition.observed_generation >= generation
    )


def _all_conditions(live: LiveObject) -> tuple[Condition, ...]:
    if not isinstance(live, Generic):
        return getattr(getattr(live, "status", None), "conditions", None) or ()
    listed = status_of(live).get("conditions")
    if not isinstance(listed, list):
        return ()
    return tuple(_condition(entry) for entry in listed if isinstance(entry, dict))


def status_of(live: Generic) -> dict[str, Any]:
    """The status, or {} for what is none: a custom resource may call anything so."""
    return live.status if isinstance(live.status, dict) else {}


def _condition(entry: dict[str, Any]) -> Condition:
    observed = entry.get("observedGeneration")
    words = {key: entry[key] for key in ("type", "status", "reason", "message") if isinstance(entry.get(key), str)}
    return Condition(
        **words,
        observed_generation=observed if isinstance(observed, int) else None,
        last_transition_time=str(entry.get("lastTransitionTime") or ""),
        last_update_time=str(entry.get("lastUpdateTime") or ""),
    )


def by_convention(look: Look, live: LiveObject) -> Reading | None:
    """Stalled=True is Failed, Reconciling=True is Progressing; None when the object says neither."""
    for condition in conditions_of(live):
        if condition.status != "True":
            continue
        if condition.type == "Stalled" and is_current(look, condition):
            message = one_line(condition.message)
            reason = condition.reason or "Stalled"
            symptom = Symptom(rows.STALLED, reason, message, subject_of(live), live.metadata.uid)
            return against(look, [symptom], progressing("stalled"))
        if condition.type == "Reconciling":
            return progressing(one_line(condition.message) or "reconciling")
    return None
