"""A pod's own story: its evidence, the node it waits for, how far it got."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bakery_ops.model.contract import WAIT_PREFIX
from bakery_ops.model.live import Container, ContainerStatus, Pod
from bakery_ops.model.times import time_or
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import containers, pod_events, scheduling
from bakery_ops.rules.readiness.containers import Place
from bakery_ops.rules.readiness.crashes import crashes
from bakery_ops.rules.readiness.look import Look, Symptom, Weighed


class Report(NamedTuple):
    """One pod of the current revision.

    Attributes:
        waiting_for: X of each init container `wait-for-X` that runs now.
        excused: It crashed while a dependency was not Ready.
        settles_at: Not to be believed before then (it crashed, runs again, and has no probe).
        counters: scheduled, init steps done, images pulled, containers started, containers ready.
    """

    pod: Pod
    weighed: tuple[Weighed, ...]
    message: str
    waiting_for: tuple[str, ...]
    excused: bool
    settles_at: float | None
    counters: tuple[int, int, int, int, int]

    @property
    def is_doomed(self) -> bool:
        return any(weighed.failed for weighed in self.weighed)


def owned_by(look: Look, uid: str) -> list[Pod]:
    """The pods of one owner by name, terminating ones included."""
    pods = [
        child
        for child in look.observation.children
        if isinstance(child, Pod) and any(owner.uid == uid for owner in child.metadata.owner_references)
    ]
    return sorted(pods, key=lambda pod: pod.metadata.name)


def is_terminating(pod: Pod) -> bool:
    return pod.metadata.deletion_timestamp is not None


def is_over(pod: Pod) -> bool:
    """It will not run again; whoever owns it makes another one if one is needed."""
    return pod.status.phase in ("Succeeded", "Failed") or pod_events.is_turned_away(pod)


def is_ready(pod: Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def places_of(pod: Pod, *, is_job: bool = False) -> list[Place]:
    """Every container that has a status, init containers first, in the order of the spec."""
    init = _placed(pod, pod.spec.init_containers, pod.status.init_container_statuses, is_init=True, is_job=is_job)
    app = _placed(pod, pod.spec.containers, pod.status.container_statuses, is_init=False, is_job=is_job)
    return [*init, *app]


def _placed(
    pod: Pod, specs: Iterable[Container], statuses: Sequence[ContainerStatus], *, is_init: bool, is_job: bool
) -> list[Place]:
    by_name = {status.name: status for status in statuses}
    return [Place(pod, spec, by_name[spec.name], is_init, is_job) for spec in specs if spec.name in by_name]


def restarts_of(pods: Iterable[Pod]) -> dict[tuple[str, str], int]:
    return {
        (pod.metadata.uid, status.name): status.restart_count
        for pod in pods
        for status in (*pod.status.init_container_statuses, *pod.status.container_statuses)
    }


def report(look: Look, pod: Pod, *, is_job: bool = False, room_is_coming: bool = False) -> Report:
    """Weigh all that this pod shows. `room_is_coming`: pods are terminating, so an unschedulable one may wait."""
    places = places_of(pod, is_job=is_job)
    crashed = crashes(look, pod, places)
    symptoms: list[Symptom] = []
    if not pod_events.is_turned_away(pod):
        symptoms += [symptom for place in places for symptom in containers.symptoms(look, place)]
        symptoms += [symptom for symptom in crashed.symptoms if not _is_told(symptom, symptoms)]
        symptoms += [
            symptom
            for symptom in (
                scheduling.unschedulable(look, pod, is_terminating=room_is_coming),
                pod_events.before_start(look, pod),
                pod_events.lost_machine(look, pod),
            )
            if symptom is not None
        ]
    return Report(
        pod,
        tuple(look.weigh(symptom) for symptom in symptoms),
        _message(look, pod, places),
        _waiting_for(places),
        crashed.excused,
        crashed.settles_at,
        _counters(pod, places),
    )


def _is_told(symptom: Symptom, told: Iterable[Symptom]) -> bool:
    """A container whose command cannot be run also crashes; the first says why."""
    causes = (rows.COMMAND_UNUSABLE, rows.CREATE_ERROR, rows.CREATE_TROUBLE)
    return any(other.container == symptom.container and other.row in causes for other in told)


def _waiting_for(places: Iterable[Place]) -> tuple[str, ...]:
    """Who the init containers named wait-for-X wait for. A native sidecar runs on purpose."""
    return tuple(
        place.container.name.removeprefix(WAIT_PREFIX)
        for place in places
        if place.is_init
        and place.status.state.running is not None
        and place.container.name.startswith(WAIT_PREFIX)
        and place.container.restart_policy != "Always"
    )


def _counters(pod: Pod, places: Sequence[Place]) -> tuple[int, int, int, int, int]:
    return (
        int(bool(pod.spec.node_name)),
        sum(_is_done(place) for place in places if place.is_init),
        sum(bool(place.status.image_id) for place in places),
        sum(_has_started(place) for place in places),
        sum(place.status.ready for place in places if not place.is_init),
    )


def _is_done(place: Place) -> bool:
    """An init step behind us; a native sidecar counts as done when it has started."""
    if place.container.restart_policy == "Always":
        return bool(place.status.started)
    return containers.has_ended_well(place)


def _has_started(place: Place) -> bool:
    state, last = place.status.state, place.status.last_state
    return state.running is not None or state.terminated is not None or last.terminated is not None


def _message(look: Look, pod: Pod, places: Sequence[Place]) -> str:
    """Where the pod stands, as `kubectl get pods` would put it."""
    init = [place for place in places if place.is_init]
    for position, place in enumerate(init):
        if not _is_done(place):
            return f"Init:{place.container.name} ({position}/{len(init)}{_told(place)})"
    for place in places:
        if place.is_init or place.status.ready:
            continue
        if place.status.state.running is not None:
            return f"{place.container.name} is running, not ready{_hint(look, pod, place)}"
        return f"{place.container.name}{_told(place) or ', not started'}"
    if not places:
        return _before_start(pod)
    return "ready" if is_ready(pod) else "containers ready"


def _before_start(pod: Pod) -> str:
    if pod.spec.node_name:
        return "starting"
    # A scheduler that finds no place says so in this condition; only one that stands still says nothing.
    is_seen = any(condition.type == "PodScheduled" for condition in pod.status.conditions)
    return "not scheduled yet" if is_seen else "no scheduler has looked at it yet"


def _told(place: Place) -> str:
    waiting, ended = place.status.state.waiting, place.status.state.terminated
    if waiting is not None and waiting.reason not in ("", "PodInitializing"):
        return f", {waiting.reason}"
    return f", {ended.reason or 'ended'} with {ended.exit_code}" if ended is not None else ""


def _hint(look: Look, pod: Pod, place: Place) -> str:
    """The failing readiness probe, from the time on at which a healthy container would have answered (kubedog)."""
    running = place.status.state.running
    failure = pod_events.probe_failure(look, pod)
    if running is None or not failure:
        return ""
    due = hint_time(place.container, time_or(running.started_at, look.now))
    if due > look.now:
        look.wake(due)
        return ""
    return f": {failure}"


def hint_time(container: Container, started_at: float) -> float:
    """From when on a failing readiness probe is worth showing; with a failureThreshold of 1 there is no grace."""
    probe, startup = container.readiness_probe, container.startup_probe
    if probe is None or probe.failure_threshold == 1:
        return started_at
    grace = (probe.failure_threshold + probe.success_threshold - 3 + 0.5) * probe.period_seconds
    window = startup.initial_delay_seconds + startup.failure_threshold * startup.period_seconds if startup else 0
    return started_at + probe.period_seconds + probe.initial_delay_seconds + 2 * probe.timeout_seconds + grace + window
