"""Why a pod has no cluster node: for good, or until there is room. The scheduler's sentence decides, cause by cause.

    0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint {dedicated: gpu}. no new claims to
    deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.

Calling every Unschedulable pod an error after 15 s is known to cry wolf (tilt#4386), so only causes that no waiting can
heal, on every cluster node, are permanent.
"""

from __future__ import annotations

import re

from bakery_ops.model.live import Condition, Pod
from bakery_ops.model.quantities import cpu_text, memory_text
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.requests import Request, request_of

_HEAD = re.compile(r"^0/(\d+) nodes are available: (.*)$", re.DOTALL)
_PART = re.compile(r"(\d+) (.*)")
_IN_VAIN = re.compile(r"didn't match Pod's node affinity/selector|didn't match node selector", re.IGNORECASE)
_TAINT = re.compile(r"untolerated taint(?:\(s\))? \{([^}:]+)")
# Put there by Kubernetes or a cloud while a machine starts, is in trouble or is serviced: they go away.
_PASSING_TAINTS = (
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "node.cilium.io/",
    "ToBeDeletedByClusterAutoscaler",
)


def unschedulable(look: Look, pod: Pod, *, is_terminating: bool) -> Symptom | None:
    """What the condition PodScheduled=False says against the pod; None when a new cluster node is on its way.

    Args:
        is_terminating: Pods of this node are going away, so there will be room: the hold time stands still.
    """
    condition = _refusal(pod)
    if condition is None or any(event.reason == "TriggeredScaleUp" for event in look.events_of(pod.metadata.uid)):
        return None
    request = request_of(pod.spec)
    message = one_line(_causes(condition.message))
    row, paused = rows.UNSCHEDULABLE_NOW, is_terminating
    if (too_big := _too_big(look, request)) and "Insufficient" in condition.message:
        row, message, paused = rows.UNSCHEDULABLE_EVER, f"{message}; {too_big}", False
    elif is_in_vain(condition.message):
        row, paused = rows.UNSCHEDULABLE_EVER, False
    elif "Insufficient" in condition.message:
        message = f"{message}; the pod asks for {request}"
    uid = pod.metadata.uid
    return Symptom(row, "Unschedulable", message, subject_of(pod), uid, paused=paused)


def _refusal(pod: Pod) -> Condition | None:
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.reason == "Unschedulable":
            return condition
    return None


def _causes(message: str) -> str:
    """The first sentence: what follows tells only that making room by force would not help."""
    return message.partition(". ")[0].rstrip(".")


def is_in_vain(message: str) -> bool:
    """Every cluster node refuses for a cause that does not pass: selector, node affinity, or a taint someone set."""
    head = _HEAD.match(_causes(message))
    if head is None:
        return False
    parts = [_PART.match(part.strip()) for part in head.group(2).split(", ")]
    refused = sum(int(part.group(1)) for part in parts if part is not None and _is_lasting(part.group(2)))
    return 0 < int(head.group(1)) <= refused


def _is_lasting(cause: str) -> bool:
    taint = _TAINT.search(cause)
    if taint is not None:
        return not taint.group(1).strip().startswith(_PASSING_TAINTS)
    return _IN_VAIN.search(cause) is not None


def _too_big(look: Look, request: Request) -> str:
    """By how much the request exceeds every cluster node; "" when an empty one could take it, or none is known."""
    machines = look.cluster.machines
    if not machines or any(machine.cpu >= request.cpu and machine.memory >= request.memory for machine in machines):
        return ""
    cpu = max(machine.cpu for machine in machines)
    memory = max(machine.memory for machine in machines)
    if request.memory > memory:
        return f"the pod asks for {request}, the largest cluster node has {memory_text(memory)} of memory"
    if request.cpu > cpu:
        return f"the pod asks for {request}, the largest cluster node has {cpu_text(cpu)} of CPU"
    return f"the pod asks for {request}, no cluster node has both"
