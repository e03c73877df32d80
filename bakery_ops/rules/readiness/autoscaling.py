"""HorizontalPodAutoscaler and PodDisruptionBudget: the objects that watch over the number of pods."""

from __future__ import annotations

from bakery_ops.model.live import HorizontalPodAutoscaler, PodDisruptionBudget
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.reading import Reading, against, progressing, ready
from bakery_ops.rules.readiness.workloads import condition_of

_CANNOT_SCALE = ("FailedGetScale", "FailedUpdateScale")
_CANNOT_SELECT = ("InvalidSelector", "AmbiguousSelector")


def autoscaler(look: Look, live: HorizontalPodAutoscaler) -> Reading:
    """Ready when it can scale AND its metrics are there. Missing metrics only warn: they come minutes later."""
    conditions = live.status.conditions or ()
    able, active = condition_of(conditions, "AbleToScale"), condition_of(conditions, "ScalingActive")
    for condition, reasons in ((able, _CANNOT_SCALE), (active, _CANNOT_SELECT)):
        if condition is not None and condition.status == "False" and condition.reason in reasons:
            message = one_line(condition.message)
            uid = live.metadata.uid
            symptom = Symptom(rows.SCALER_BROKEN, condition.reason, message, subject_of(live), uid)
            return against(look, [symptom], progressing("cannot scale"))
    if active is not None and active.reason == "ScalingDisabled":
        return ready("scaling is disabled: the target has 0 replicas")
    if active is not None and active.status == "False" and active.reason.startswith("FailedGet"):
        blind = f"{subject_of(live)} has no metrics: {one_line(active.message)}"
        return ready("waits for metrics", warnings=(blind,))
    if able is not None and able.status == "True" and active is not None and active.status == "True":
        return ready("active")
    return progressing("not evaluated yet")


def disruption_budget(look: Look, live: PodDisruptionBudget) -> Reading:
    """Ready unless the controller cannot work with it; a budget that blocks every drain is worth a warning."""
    subject, status = subject_of(live), live.status
    allowed = condition_of(status.conditions, "DisruptionAllowed")
    if allowed is not None and allowed.reason == "SyncFailed":
        symptom = Symptom(rows.BUDGET_BROKEN, "SyncFailed", one_line(allowed.message), subject, live.metadata.uid)
        return against(look, [symptom], progressing("cannot be kept"))
    if status.disruptions_allowed == 0 and status.expected_pods and status.current_healthy >= status.expected_pods:
        return ready("blocks drains", warnings=(f"{subject} blocks drains: all pods are healthy and none may go",))
    if allowed is not None and allowed.reason == "InsufficientPods":
        return ready("too few pods for a disruption")
    return ready("in force")
