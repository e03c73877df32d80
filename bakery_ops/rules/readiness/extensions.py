"""What extends the API (CustomResourceDefinition, APIService), and the custom resources that come with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from bakery_ops.model.kinds import group_of
from bakery_ops.model.live import Condition, Generic
from bakery_ops.model.times import time_or
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.conditions import conditions_of, status_of
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, against, progressing, ready
from bakery_ops.rules.readiness.workloads import condition_of

# A controller that is there writes a status within this time (kluctl).
STATUS_GRACE = 15.0
# kube-aggregator, status controller: service and endpoints are there, and the request to them failed.
_UNANSWERED = "FailedDiscoveryCheck"

_FAILED_PHASES = frozenset({"failed", "error"})
# Reasons are words in one: InstallFailed, ReconcileError, InvalidSpec, AccessDenied; not FailoverInProgress.
_FAILURE = re.compile(
    r"Fail(?!over|ingOver)|Err(or)?(?![a-z])|Invalid|Denied|Forbidden|Unauthorized|Rejected|Exceeded|BackOff|Backoff"
)


def definition(look: Look, live: Generic) -> Reading:
    """CustomResourceDefinition: refused names and schemas first, then Established."""
    conditions = conditions_of(live)
    established = condition_of(conditions, "Established")
    names, schema = condition_of(conditions, "NamesAccepted"), condition_of(conditions, "NonStructuralSchema")
    refused = None
    if names is not None and names.status == "False":
        refused = names
    elif schema is not None and schema.status == "True":
        refused = schema
    elif established is not None and established.status == "False" and established.reason != "Installing":
        refused = established
    if refused is not None:
        message = one_line(refused.message)
        reason = refused.reason or refused.type
        symptom = Symptom(rows.DEFINITION_REFUSED, reason, message, subject_of(live), live.metadata.uid)
        return against(look, [symptom], progressing("refused"))
    if established is not None and established.status == "True":
        return ready("established")
    return progressing("not established yet")


def api_service(look: Look, live: Generic) -> Reading:
    available = condition_of(conditions_of(live), "Available")
    if available is None:
        return progressing("not available yet")
    if available.status == "True":
        return ready("available")
    if available.reason == _UNANSWERED and look.cluster.is_simulated:
        return ready("its service has endpoints; on simulated nodes nothing answers")
    message = one_line(available.message) or "not available yet"
    if available.status != "False":
        return progressing(message)
    symptom = Symptom(
        rows.API_UNAVAILABLE,
        available.reason or "Unavailable",
        message,
        subject_of(live),
        f"{live.metadata.uid} {available.reason}",
        paused=not look.observation.dependencies_ready,
    )
    return against(look, [symptom], progressing(message))


class StatusField(NamedTuple):
    """For resources that say how they are in a field instead of a condition: the way to it, and its words."""

    path: tuple[str, ...]
    ready: frozenset[str]
    failed: frozenset[str] = frozenset()


STATUS_FIELDS: Mapping[tuple[str, str], StatusField] = {
    ("argoproj.io", "Rollout"): StatusField(("phase",), frozenset({"Healthy"}), frozenset({"Degraded"})),
    ("postgresql.cnpg.io", "Cluster"): StatusField(("phase",), frozenset({"Cluster in healthy state"})),
}


def custom_resource(look: Look, live: Generic) -> Reading:
    """By its status field where we know one, else by its condition Ready, else by having a status at all."""
    known = STATUS_FIELDS.get((group_of(live.api_version), live.kind))
    if known is not None:
        return _by_field(look, live, known)
    condition = condition_of(conditions_of(live), "Ready")
    if condition is not None:
        return ready("ready") if condition.status == "True" else _not_ready(look, live, condition)
    phase = status_of(live).get("phase")
    if isinstance(phase, str) and phase.lower() in _FAILED_PHASES:
        message = one_line(str(status_of(live).get("message") or "")) or f'status.phase is "{phase}"'
        return against(look, [_failed(live, phase, message)], progressing(message))
    written = time_or(live.metadata.creation_timestamp, look.now)
    if live.status is None and look.now < written + STATUS_GRACE:
        look.wake(written + STATUS_GRACE)
        return progressing("has no status yet")
    return ready("exists")


def _not_ready(look: Look, live: Generic, condition: Condition) -> Reading:
    """Many controllers say Ready=False while they work; each new text shows that they do, and begins the time anew."""
    message = one_line(condition.message) or condition.reason or "not ready"
    working = replace(progressing(message), revision=f"{condition.reason} {condition.message}")
    if condition.status != "False" or not _FAILURE.search(condition.reason):
        return working
    return against(look, [_failed(live, condition.reason, message)], working)


def _failed(live: Generic, reason: str, message: str) -> Symptom:
    return Symptom(rows.RESOURCE_FAILED, reason, message, subject_of(live), f"{live.metadata.uid} {reason}: {message}")


def _by_field(look: Look, live: Generic, field: StatusField) -> Reading:
    value: object = status_of(live)
    for key in field.path:
        value = value.get(key) if isinstance(value, dict) else None
    word = value if isinstance(value, str) else ""
    where = f"status.{'.'.join(field.path)}"
    if word in field.ready:
        return ready(word)
    if word in field.failed:
        message = f'{where} is "{word}"'
        symptom = Symptom(rows.FIELD_FAILED, word, message, subject_of(live), live.metadata.uid)
        return against(look, [symptom], progressing(word))
    return progressing(word or f"{where} is not set yet")
