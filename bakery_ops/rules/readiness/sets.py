"""StatefulSet and DaemonSet: no conditions to go by, so the counters, the revisions and the pods decide."""

from __future__ import annotations

from dataclasses import replace

from bakery_ops.model.live import DaemonSet, PersistentVolumeClaim, Pod, StatefulSet
from bakery_ops.rules.readiness import pod_events, storage
from bakery_ops.rules.readiness.crew import Crew, complete, judged_by_crew, muster, settled
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.pods import Report, is_ready, is_terminating, owned_by
from bakery_ops.rules.readiness.reading import Reading, ready
from bakery_ops.rules.readiness.workloads import desired_of

_POD_REVISION = "controller-revision-hash"
# Deprecated names that the DaemonSet controller still writes; its pods' revision is in no other field of the object.
_DAEMON_GENERATION = "deprecated.daemonset.template.generation"
_POD_GENERATION = "pod-template-generation"


def stateful_set(look: Look, live: StatefulSet) -> Reading:
    """Ready when the update is through. kubectl never compares revisions when the partition is 0; we do."""
    everyone = owned_by(look, live.metadata.uid)
    status = live.status
    current = [pod for pod in everyone if pod.metadata.labels.get(_POD_REVISION) == status.update_revision]
    old = [pod for pod in everyone if pod not in current and not is_terminating(pod)]
    crew = muster(look, current, uid=live.metadata.uid)
    desired = desired_of(live.spec.replicas)
    if _is_updated(live, desired, everyone):
        reading = settled(look, crew, ready(f"{desired}/{desired} ready", warnings=_left_behind(live, old)))
    else:
        message = f"{_ready_replicas(live)}/{desired} ready{_held_up(live, old)}"
        reading = _wedged(look, live, old) or judged_by_crew(
            look, crew, message, _own(look, live, desired), one_is_enough=True
        )
    counters = (status.updated_replicas, status.ready_replicas, status.available_replicas, _bound_claims(look))
    return complete(crew, reading, counters=counters, revision=status.update_revision)


def _ready_replicas(live: StatefulSet) -> int:
    return live.status.available_replicas if live.spec.min_ready_seconds > 0 else live.status.ready_replicas


def _is_updated(live: StatefulSet, desired: int, pods: list[Pod]) -> bool:
    status = live.status
    # The controller counts a pod as ready until it is gone.
    leaving = sum(is_terminating(pod) and is_ready(pod) for pod in pods)
    if _ready_replicas(live) - leaving < desired:
        return False
    if live.spec.update_strategy.type == "OnDelete":
        return True
    rolling = live.spec.update_strategy.rolling_update
    partition = (rolling.partition or 0) if rolling is not None else 0
    if status.replicas != desired or status.updated_replicas < desired - partition:
        return False
    return partition > 0 or status.current_revision == status.update_revision


def _left_behind(live: StatefulSet, old: list[Pod]) -> tuple[str, ...]:
    if live.spec.update_strategy.type != "OnDelete" or not old:
        return ()
    names = ", ".join(pod.metadata.name for pod in old)
    return (f"{subject_of(live)} updates only deleted pods; on the old revision: {names}",)


def _own(look: Look, live: StatefulSet, desired: int) -> list[Symptom]:
    found: list[Symptom] = []
    if live.status.replicas < desired:
        refused = pod_events.refusals(look, live.metadata.uid, subject_of(live))
        found += [refused] if refused else []
    for child in look.observation.children:
        if isinstance(child, PersistentVolumeClaim) and child.status.phase != "Bound":
            found += storage.symptoms(look, child)
    return found


def _bound_claims(look: Look) -> int:
    claims = [child for child in look.observation.children if isinstance(child, PersistentVolumeClaim)]
    return sum(claim.status.phase == "Bound" for claim in claims)


def _wedged(look: Look, live: StatefulSet, old: list[Pod]) -> Reading | None:
    """A doomed pod of the old revision: with OrderedReady the controller waits for it for ever, even after a repair."""
    if live.spec.pod_management_policy == "Parallel":
        return None
    crew = muster(look, [pod for pod in old if not is_ready(pod)], uid=live.metadata.uid)
    doomed = [story for story in crew.reports if story.is_doomed]
    if not doomed:
        return None
    advice = f"{doomed[0].pod.metadata.name} of the old revision blocks the update; delete that pod"
    reports = tuple(_advising(story, advice) for story in doomed)
    return judged_by_crew(look, Crew(crew.pods, reports, None), f"{_ready_replicas(live)} ready", one_is_enough=True)


def _advising(story: Report, advice: str) -> Report:
    """What fails is mended already, so the sentence has to begin with what is left to do, and names nothing missing."""
    weighed = [
        one._replace(evidence=replace(one.evidence, message=f"{advice} ({one.evidence.message})", names=()))
        for one in story.weighed
    ]
    return story._replace(weighed=tuple(weighed))


def _held_up(live: StatefulSet, old: list[Pod]) -> str:
    slow = [pod.metadata.name for pod in old if not is_ready(pod)]
    is_ordered = live.spec.pod_management_policy != "Parallel"
    return f"; {slow[0]} of the old revision has to get ready first" if slow and is_ordered else ""


def daemon_set(look: Look, live: DaemonSet) -> Reading:
    """Ready when every cluster node that should run the pod runs the new one."""
    status = live.status
    desired = status.desired_number_scheduled
    generation = live.metadata.annotations.get(_DAEMON_GENERATION)
    everyone = owned_by(look, live.metadata.uid)
    out_of_service = {
        machine.name for machine in look.cluster.machines if machine.unschedulable or not machine.is_ready
    }
    current = [
        pod
        for pod in everyone
        if generation is None or pod.metadata.labels.get(_POD_GENERATION, generation) == generation
    ]
    crew = muster(look, [pod for pod in current if pod.spec.node_name not in out_of_service], uid=live.metadata.uid)
    counts = (
        status.current_number_scheduled,
        status.updated_number_scheduled,
        status.number_available,
        status.number_ready,
    )
    if live.spec.update_strategy.type == "OnDelete":
        reading = ready("updates only deleted pods", warnings=(f"{subject_of(live)} updates only deleted pods",))
    elif desired is not None and all(count >= desired for count in counts):
        reading = settled(look, crew, ready(f"{status.number_available}/{desired} available"))
    else:
        refused = pod_events.refusals(look, live.metadata.uid, subject_of(live))
        own = [refused] if refused and status.current_number_scheduled < (desired or 0) else []
        reading = judged_by_crew(look, crew, f"{status.number_available}/{desired or 0} available", own)
    return complete(crew, reading, counters=counts, revision=generation or "")
