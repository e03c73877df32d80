"""What extends the API (CustomResourceDefinition, APIService), and the custom resources that come with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from bakery_ops.model.kinds import group_of
from bakery_ops.model.live import Generic
from bakery_ops.model.times import time_or
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import texts
from bakery_ops.rules.readiness.conditions import conditions_of, status_of
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, against, progressing, ready
from bakery_ops.rules.readiness.workloads import condition_of

# A controller that is there writes a status within this time (kluctl).
STATUS_GRACE = 15.0


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
        message = texts.one_line(refused.message)
        reason = refused.reason or refused.type
        symptom = Symptom(rows.DEFINITION_REFUSED, reason, message, subject_of(live), live.metadata.uid)
        return against(look, [symptom], progressing("refused"))
    if established is not None and established.status == "True":
        return ready("established")
    return progressing("not established yet")


def api_service(look: Look, live: Generic) -> Reading:
    available = condition_of(conditions_of(live), "Available")
    if available is not None and available.status == "True":
        return ready("available")
    return progressing(texts.one_line(available.message) if available and available.message else "not available yet")


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
        if condition.status == "True":
            return ready("ready")
        return progressing(texts.one_line(condition.message) or condition.reason or "not ready")
    written = time_or(live.metadata.creation_timestamp, look.now)
    if live.status is None and look.now < written + STATUS_GRACE:
        look.wake(written + STATUS_GRACE)
        return progressing("has no status yet")
    return ready("exists")


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
