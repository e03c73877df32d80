"""Evidence that a container shows: in its state, in how its last run ended, and in what the kubelet tells of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bakery_ops.model.live import Container, ContainerStatus, Event, Pod, Terminated
from bakery_ops.model.times import time_or
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import texts
from bakery_ops.rules.readiness.look import Look, Symptom, event_count, event_order, subject_of

_CREATE_REASONS = frozenset({"CreateContainerError", "RunContainerError", "StartError", "ContainerCannotRun"})
_PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
_UNUSABLE_REASONS = frozenset({"InvalidImageName", "ErrImageNeverPull"})


# A container without a readiness probe is "ready" the moment it runs; a run this long (seconds) shows that it stays.
PROVEN_RUN = 10.0


class Place(NamedTuple):
    """A container of a pod of the current revision, and who owns the pod (`is_job`: the Job counts its attempts)."""

    pod: Pod
    container: Container
    status: ContainerStatus
    is_init: bool
    is_job: bool

    @property
    def restarts(self) -> bool:
        """The kubelet starts it again when it ends badly."""
        return self.pod.spec.restart_policy != "Never"

    @property
    def last_end(self) -> Terminated | None:
        return self.status.state.terminated or self.status.last_state.terminated

    @property
    def is_backing_off(self) -> bool:
        waiting = self.status.state.waiting
        return waiting is not None and waiting.reason == "CrashLoopBackOff"


def symptoms(look: Look, place: Place) -> Iterator[Symptom]:
    """What this container shows apart from crashing again and again (`crashes.py`)."""
    waiting = place.status.state.waiting
    if waiting is not None and waiting.reason in _UNUSABLE_REASONS:
        yield _symptom(place, rows.IMAGE_UNUSABLE, waiting.reason, waiting.message)
    elif waiting is not None and waiting.reason in _PULL_REASONS:
        yield _pull(look, place)
    elif waiting is not None and waiting.reason == "CreateContainerConfigError":
        yield _configuration(place, waiting.message)
    elif (unusable := _unusable_command(look, place)) is not None:
        yield unusable
    elif (refused := _creation(look, place)) is not None:
        yield refused


def _symptom(place: Place, row: rows.Row, reason: str, message: str, *, occurrences: int = 0) -> Symptom:
    metadata = place.pod.metadata
    line = one_line(message) or reason
    names = texts.missing_objects(message, metadata.namespace)
    return Symptom(
        row, reason, line, subject_of(place.pod), metadata.uid, place.container.name, occurrences, names=names
    )


def _pull(look: Look, place: Place) -> Symptom:
    """The first message decides: later the kubelet says only that it waits before the next try."""
    uid = place.pod.metadata.uid
    key = (uid, place.container.name, place.container.image)
    waiting = place.status.state.waiting
    cause = texts.pull_cause(waiting.message if waiting else "") or _pull_event(look, place)
    known = look.pull_message(key)
    if known and (texts.pull_is_in_vain(known) or not texts.pull_is_in_vain(cause)):
        cause = known
    if cause:
        look.keep_pull_message(key, cause)
    row = rows.IMAGE_MISSING if texts.pull_is_in_vain(cause) else rows.IMAGE_TROUBLE
    return _symptom(place, row, "ErrImagePull", cause or f'Back-off pulling image "{place.container.image}"')


def _pull_event(look: Look, place: Place) -> str:
    for event in _events_of_container(look, place, "Failed"):
        head, found, cause = event.message.partition(f'Failed to pull image "{place.container.image}": ')
        if found and not head:
            return cause
    return ""


def _events_of_container(look: Look, place: Place, reason: str) -> list[Event]:
    """Events with this reason about this container; the kubelet names it in `fieldPath`."""
    field = f"{{{place.container.name}}}"
    events = look.events_of(place.pod.metadata.uid)
    found = [event for event in events if event.reason == reason and event.involved_object.field_path.endswith(field)]
    return sorted(found, key=event_order)


def _configuration(place: Place, message: str) -> Symptom:
    row = rows.CONFIG_CACHE if texts.cache_lags(message) else rows.CONFIG_MISSING
    return _symptom(place, row, "CreateContainerConfigError", message)


def _unusable_command(look: Look, place: Place) -> Symptom | None:
    """Exit codes with which shells and runtimes say that the command cannot be run; at once, whatever restarts."""
    end = place.last_end
    if end is None or not look.is_ours(end.finished_at) or has_proved_itself(look, place) or has_ended_well(place):
        return None
    lines = [end.message, *look.observation.logs.get((place.pod.metadata.uid, place.container.name), ())]
    if end.exit_code and any(texts.says_exec_format(line) for line in lines):
        return _symptom(place, rows.COMMAND_UNUSABLE, "ExecFormatError", _ending(end), occurrences=1)
    if end.exit_code in (126, 127):
        meaning = "the command cannot be run" if end.exit_code == 126 else "the command was not found"
        return _symptom(
            place, rows.COMMAND_UNUSABLE, end.reason or "Error", f"{_ending(end)} ({meaning})", occurrences=1
        )
    return None


def _ending(end: Terminated) -> str:
    detail = f": {end.message}" if end.message.strip() else ""
    return f"exit code {end.exit_code}{detail}"


def _creation(look: Look, place: Place) -> Symptom | None:
    """The runtime could not make or start the container: twice is no accident."""
    waiting, end = place.status.state.waiting, place.last_end
    if waiting is not None and waiting.reason in _CREATE_REASONS:
        reason, message = waiting.reason, waiting.message
        code = end.exit_code if end is not None and end.reason in _CREATE_REASONS else 0
    elif end is not None and end.reason in _CREATE_REASONS and look.is_ours(end.finished_at):
        if place.status.state.running is not None:
            return None
        reason, message, code = end.reason, end.message, end.exit_code
    else:
        return None
    if not texts.command_is_at_fault(message) and (code == 128 or texts.runtime_is_in_trouble(message)):
        return _symptom(place, rows.CREATE_TROUBLE, reason, message)
    return _symptom(place, rows.CREATE_ERROR, reason, message, occurrences=_tries(look, place, end, message))


def _tries(look: Look, place: Place, end: Terminated | None, message: str) -> int:
    """How often it was tried: each end once, or as often as the kubelet's events say."""
    key = (rows.CREATE_ERROR.id, place.pod.metadata.uid, place.container.name)
    known = (
        [end.finished_at or str(place.status.restart_count)]
        if end is not None and end.reason in _CREATE_REASONS
        else []
    )
    # Other failures of the same container have the same reason: only the message tells them apart.
    told = [event for event in _events_of_container(look, place, "Failed") if event.message == f"Error: {message}"]
    return max(look.mark(key, frozenset(known)), sum(event_count(event) for event in told), 1)


def has_proved_itself(look: Look, place: Place) -> bool:
    """It runs, and well: its readiness probe says so, or, without one, it has run for a while."""
    running = place.status.state.running
    if running is None or not place.status.ready:
        return False
    if place.container.readiness_probe is not None:
        return True
    proven = time_or(running.started_at, look.now) + PROVEN_RUN
    if look.now < proven:
        look.wake(proven)
    return look.now >= proven


def has_ended_well(place: Place) -> bool:
    """An init container that is done: exit code 0."""
    end = place.status.state.terminated
    return end is not None and end.exit_code == 0 and (place.is_init or place.pod.spec.restart_policy != "Always")
