"""What only events tell of a pod: volumes that cannot be mounted, sandboxes that cannot be made, lost cluster nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bakery_ops.model.live import Event, Pod
from bakery_ops.model.words import amount, one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import texts
from bakery_ops.rules.readiness.look import Look, Symptom, event_count, event_time, subject_of

_MOUNT_REASONS = frozenset({"FailedMount", "FailedAttachVolume"})
_SANDBOX_REASONS = frozenset({"FailedCreatePodSandBox", "NetworkNotReady", "FailedSync"})
_BEFORE_CONTAINERS = frozenset({"", "ContainerCreating", "PodInitializing"})
# The kubelet tries a mount again after at most 2 min 2 s; an older event speaks of something that has healed.
_MOUNT_RETRY = 150.0

# The kubelet's words of a pod that is itself the cause (kubelet, eviction manager): its successor will end the same.
_OWN_LIMIT = re.compile(r"exceed(s|ed) (the|its) .*limit")

_TURNED_AWAY = frozenset(
    {
        "Evicted",
        "Preempting",
        "NodeAffinity",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "UnexpectedAdmissionError",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "OutOfephemeral-storage",
    }
)


def before_start(look: Look, pod: Pod) -> Symptom | None:
    """Evidence from events while the pod's containers cannot be created yet."""
    if not _is_creating(pod):
        return None
    events = [
        event for event in look.events_of(pod.metadata.uid) if look.now - event_time(event, look.now) <= _MOUNT_RETRY
    ]
    mounts = [event for event in events if event.reason in _MOUNT_REASONS]
    for event in mounts:
        if texts.mount_is_in_vain(event.message):
            return _symptom(rows.MOUNT_MISSING, pod, event)
    others = mounts or [event for event in events if event.reason in _SANDBOX_REASONS]
    return _symptom(rows.MOUNT_TROUBLE, pod, others[0]) if others else None


def _is_creating(pod: Pod) -> bool:
    """On a cluster node, but nothing has run: volumes first, then the sandbox with its network, then containers.

    Once the kubelet has made the sandbox every volume is there, and a long image pull is not a failed mount any more.
    """
    has_sandbox = _condition_is(pod, "PodReadyToStartContainers", "True")
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    got_further = any(
        state.running is not None
        or state.terminated is not None
        or (state.waiting is not None and state.waiting.reason not in _BEFORE_CONTAINERS)
        for status in statuses
        for state in (status.state, status.last_state)
    )
    return bool(pod.spec.node_name) and pod.status.phase == "Pending" and not got_further and not has_sandbox


def _condition_is(pod: Pod, kind: str, status: str) -> bool:
    return any(condition.type == kind and condition.status == status for condition in pod.status.conditions)


def _symptom(row: rows.Row, pod: Pod, event: Event) -> Symptom:
    names = texts.missing_objects(event.message, pod.metadata.namespace)
    message = one_line(event.message)
    return Symptom(row, event.reason, message, subject_of(pod), pod.metadata.uid, names=names)


def lost_machine(look: Look, pod: Pod) -> Symptom | None:
    """The pod's cluster node stopped answering: "pods not ready" would hide that.

    Then the node controller takes the pod's condition Ready away, while the containers stay as the kubelet last saw
    them. A pod with unready containers has a kubelet that speaks, whatever an event of an earlier hour says.
    """
    told = any(event.reason == "NodeNotReady" for event in look.events_of(pod.metadata.uid))
    are_ready = bool(pod.status.container_statuses) and all(status.ready for status in pod.status.container_statuses)
    if not told or not are_ready or _condition_is(pod, "Ready", "True"):
        return None
    message = f"cluster node {pod.spec.node_name} is not ready"
    return Symptom(rows.MACHINE_LOST, "NodeNotReady", message, subject_of(pod), pod.metadata.uid)


def is_turned_away(pod: Pod) -> bool:
    """Evicted, preempted, or refused by the kubelet: its controller makes another one."""
    if _condition_is(pod, "DisruptionTarget", "True"):
        return True
    return pod.status.phase == "Failed" and pod.status.reason in _TURNED_AWAY


def evictions(look: Look, pods: list[Pod], *, uid: str) -> Symptom | None:
    """Once or twice is the cluster's daily life; `uid` is the owner's, whose pods are counted together."""
    away = [pod for pod in pods if is_turned_away(pod) and look.is_ours(pod.metadata.creation_timestamp)]
    times = look.mark((rows.EVICTED.id, uid, ""), frozenset(pod.metadata.uid for pod in away))
    if not away:
        return None
    newest = max(away, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))
    detail = one_line(newest.status.message) or "the cluster took the pod away"
    reason = newest.status.reason or "DisruptionTarget"
    message = f"{detail}, {times} time{'' if times == 1 else 's'}"
    row = rows.EVICTED_OVER_LIMIT if _OWN_LIMIT.search(newest.status.message) else rows.EVICTED
    return Symptom(row, reason, message, subject_of(newest), uid, occurrences=times)


def evicted(pods: Iterable[Pod]) -> str:
    """Of how many pods the kubelet has evicted, and why the last one; "" of none."""
    away = [pod for pod in pods if pod.status.phase == "Failed" and pod.status.reason == "Evicted"]
    if not away:
        return ""
    newest = max(away, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name))
    return f"{amount(len(away), 'pod')} evicted: {one_line(newest.status.message)}"


def refusals(look: Look, uid: str, subject: str) -> Symptom | None:
    """The controller may not create pods (quota, admission, a missing ServiceAccount): no pod will ever tell."""
    events = [event for event in look.events_of(uid) if event.reason == "FailedCreate"]
    return refusal(events[-1].message, subject, uid) if events else None


def refusal(message: str, subject: str, uid: str, *, paused: bool = False) -> Symptom:
    row = rows.CREATE_STALLED if texts.may_try_again(message) else rows.CREATE_REFUSED
    return Symptom(row, "FailedCreate", one_line(message), subject, uid, paused=paused)


def probe_failure(look: Look, pod: Pod) -> str:
    """The newest message of a failing readiness probe, or ""."""
    failing = [event for event in look.events_of(pod.metadata.uid) if event.reason == "Unhealthy"]
    told = [event for event in failing if event.message.startswith("Readiness probe")]
    return one_line(told[-1].message) if told and event_count(told[-1]) else ""
