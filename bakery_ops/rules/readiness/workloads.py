"""Deployment and ReplicaSet. Like `kubectl rollout status`, and stricter where that passes in the middle of a surge."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from bakery_ops.model.live import Condition, Deployment, Pod, ReplicaSet, WorkloadStatus
from bakery_ops.model.times import time_or
from bakery_ops.model.words import amount, one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import pod_events
from bakery_ops.rules.readiness.crew import complete, judged_by_crew, muster, settled
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.pods import is_terminating, owned_by
from bakery_ops.rules.readiness.reading import Reading, held, ready

REVISION = "deployment.kubernetes.io/revision"
_NO_DEADLINE = 2**31 - 1


def deployment(look: Look, live: Deployment) -> Reading:
    """Ready when every replica is of the new revision and available, and no old pod is left."""
    if live.spec.paused:
        return held("paused")
    status, desired = live.status, desired_of(live.spec.replicas)
    current = _current_set(look, live)
    crew = muster(look, _pods_of_set(look, current), uid=live.metadata.uid)
    counters = (status.updated_replicas, status.available_replicas)
    revision = live.metadata.annotations.get(REVISION, "")
    if _is_rolled_out(live, desired):
        reading = settled(look, crew, ready(f"{desired}/{desired} available"))
    else:
        reading = judged_by_crew(look, crew, _message(status, desired), _own(look, live, current, crew.laggard))
    return complete(crew, reading, counters=counters, revision=revision)


def desired_of(replicas: int | None) -> int:
    return 1 if replicas is None else replicas


def _current_set(look: Look, live: Deployment) -> ReplicaSet | None:
    """The ReplicaSet whose revision is the Deployment's. Pods of any other never count."""
    wanted = live.metadata.annotations.get(REVISION)
    sets = [
        child
        for child in look.observation.children
        if isinstance(child, ReplicaSet)
        and wanted is not None
        and child.metadata.annotations.get(REVISION) == wanted
        and any(owner.uid == live.metadata.uid for owner in child.metadata.owner_references)
    ]
    return max(sets, key=lambda owned: (owned.metadata.creation_timestamp, owned.metadata.name), default=None)


def _pods_of_set(look: Look, current: ReplicaSet | None) -> list[Pod]:
    return owned_by(look, current.metadata.uid) if current is not None else []


def _is_rolled_out(live: Deployment, desired: int) -> bool:
    status = live.status
    if desired == 0:
        return status.replicas == 0
    counted = status.updated_replicas == status.replicas == status.available_replicas == desired
    deadline = live.spec.progress_deadline_seconds
    has_deadline = deadline is not None and deadline < _NO_DEADLINE
    progress = condition_of(status.conditions, "Progressing")
    is_through = not has_deadline or (progress is not None and progress.reason == "NewReplicaSetAvailable")
    available = condition_of(status.conditions, "Available")
    return counted and is_through and available is not None and available.status == "True"


def condition_of(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


def _message(status: WorkloadStatus, desired: int) -> str:
    if status.updated_replicas < desired:
        return f"{status.updated_replicas}/{desired} updated"
    if status.replicas > status.updated_replicas:
        return f"{amount(status.replicas - status.updated_replicas, 'old replica')} still there"
    return f"{status.available_replicas}/{desired} available"


def _own(look: Look, live: Deployment, current: ReplicaSet | None, laggard: str) -> list[Symptom]:
    """Evidence in the Deployment's own conditions. An old deploy's ProgressDeadlineExceeded is not ours (kapp#1020).

    `laggard`: what the pod is about that the Deployment waits for.
    """
    subject, uid = subject_of(live), live.metadata.uid
    found: list[Symptom] = []
    progress = condition_of(live.status.conditions, "Progressing")
    if progress is not None and progress.reason == "ProgressDeadlineExceeded" and is_current(look, progress):
        message = one_line(f"{progress.message.rstrip('.')}: {laggard}" if laggard else progress.message)
        found.append(Symptom(rows.DEADLINE_EXCEEDED, progress.reason, message, subject, uid))
    failure = condition_of(live.status.conditions, "ReplicaFailure")
    if failure is not None and failure.status == "True" and is_current(look, failure):
        # A full quota frees itself while old pods are still going away.
        paused = any(isinstance(child, Pod) and is_terminating(child) for child in look.observation.children)
        found.append(pod_events.refusal(failure.message, subject, uid, paused=paused))
    elif current is not None and current.status.replicas < desired_of(current.spec.replicas):
        refused = pod_events.refusals(look, current.metadata.uid, subject_of(current))
        found += [refused] if refused else []
    return found


def is_current(look: Look, condition: Condition) -> bool:
    """Stale-condition guard: the condition speaks of this deploy, not of the one it repairs."""
    applied = look.observation.applied
    if applied is not None and applied.created:
        return True
    return time_or(condition.last_update_time or condition.last_transition_time, 0.0) >= look.since


def replica_set(look: Look, live: ReplicaSet) -> Reading:
    """A bare ReplicaSet: all replicas labelled, ready and available."""
    status, desired = live.status, desired_of(live.spec.replicas)
    pods = owned_by(look, live.metadata.uid)
    crew = muster(look, pods, uid=live.metadata.uid)
    counters = (status.replicas, status.available_replicas)
    if status.available_replicas == status.ready_replicas == status.fully_labeled_replicas == desired:
        reading = settled(look, crew, ready(f"{desired}/{desired} available"))
    else:
        reading = judged_by_crew(
            look, crew, f"{status.available_replicas}/{desired} available", _own_of_set(look, live)
        )
    return complete(crew, replace(reading, warnings=_older_pods(live, pods)), counters=counters)


def _older_pods(live: ReplicaSet, pods: Iterable[Pod]) -> tuple[str, ...]:
    """Nothing replaces a pod that was made before its template was changed, so what was deployed runs nowhere."""
    images = {container.name: container.image for container in live.spec.template.spec.containers}
    older = [
        pod.metadata.name
        for pod in pods
        if not is_terminating(pod) and any(images.get(one.name, one.image) != one.image for one in pod.spec.containers)
    ]
    if not older:
        return ()
    return (f"{subject_of(live)} replaces no pod by itself; delete those with an older image: {', '.join(older)}",)


def _own_of_set(look: Look, live: ReplicaSet) -> list[Symptom]:
    subject, uid = subject_of(live), live.metadata.uid
    failure = condition_of(live.status.conditions, "ReplicaFailure")
    if failure is not None and failure.status == "True" and is_current(look, failure):
        return [pod_events.refusal(failure.message, subject, uid)]
    refused = pod_events.refusals(look, uid, subject)
    return [refused] if refused and live.status.replicas < desired_of(live.spec.replicas) else []
