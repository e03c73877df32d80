"""Crash loops, kills by probes and by the memory limit: counted per pod, and only while nobody else is to blame.

A pod that needs a database which is not Ready yet crashes because of the database. So restarts count from the moment on
that every dependency is Ready, and a back-off begun before that is waited out without blame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bakery_ops.model.live import Pod
from bakery_ops.model.times import time_or
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import texts
from bakery_ops.rules.readiness.containers import PROVEN_RUN, Place, has_ended_well, has_proved_itself
from bakery_ops.rules.readiness.look import Look, Symptom, event_count, is_born, subject_of


class Crashes(NamedTuple):
    """Of one pod.

    Attributes:
        symptoms: What counts against it.
        excused: It crashed, but a dependency was not Ready; no symptom then.
        settles_at: A container that had crashed runs again, without a probe to tell whether well: ask again then.
    """

    symptoms: tuple[Symptom, ...]
    excused: bool
    settles_at: float | None


class _Kills(NamedTuple):
    """How often containers of the pod were killed for a failed probe, and which probe it was, by container."""

    counted: int
    probes: Mapping[str, str]


class _Count(NamedTuple):
    place: Place
    counted: int
    is_excused: bool


def crashes(look: Look, pod: Pod, places: Sequence[Place]) -> Crashes:
    """What the restarts of this pod's containers say."""
    counts = [_count(look, place) for place in places if place.restarts]
    kills = _probe_kills(look, pod)
    total = sum(count.counted for count in counts)
    symptoms = [
        symptom
        for count in counts
        if _is_present(look, count) and not count.is_excused
        for symptom in _crash(count, total, kills)
    ]
    symptoms += [symptom for place in places for symptom in _out_of_memory(look, place)]
    excused = any(count.is_excused and _is_present(look, count) for count in counts)
    return Crashes(tuple(symptoms), excused, _settles_at(look, places))


def _count(look: Look, place: Place) -> _Count:
    status, end = place.status, place.last_end
    is_down = place.is_backing_off or status.state.terminated is not None
    excuse = (end.finished_at or "") if end is not None and is_down else ""
    counted, is_excused = look.counted(
        (place.pod.metadata.uid, place.container.name),
        status.restart_count,
        born=is_born(look, place.pod),
        # The restart that ends a crash of now is still the dependency's fault.
        excused_to=status.restart_count + is_down,
        excuse=excuse,
    )
    return _Count(place, counted, is_excused)


def _is_present(look: Look, count: _Count) -> bool:
    """It is down after a bad end, or it was and has not proved itself since."""
    place = count.place
    if place.is_backing_off:
        return True
    if has_ended_well(place):
        return False
    end = place.status.state.terminated
    if end is not None and end.exit_code:
        return True
    has_crashed = count.counted or (count.is_excused and place.status.restart_count)
    return bool(has_crashed) and not has_proved_itself(look, place)


def _crash(count: _Count, total: int, kills: _Kills) -> Iterator[Symptom]:
    place = count.place
    uid, name = place.pod.metadata.uid, place.container.name
    probe = kills.probes.get(name, "")
    end = place.last_end
    code = end.exit_code if end is not None else 0
    detail = f": {one_line(end.message)}" if end is not None and end.message.strip() else _meaning(place, code)
    restarts = max(total, kills.counted)
    tail = f", {restarts} restart{'' if restarts == 1 else 's'}" if restarts else ""
    if place.is_job:
        message = f"exit code {code}{detail}{tail}"
        yield Symptom(rows.JOB_ATTEMPT, _reason(place), message, subject_of(place.pod), uid, name)
    elif probe:
        message = f"the {probe} probe failed and the container was killed{tail}"
        row = rows.PROBE_KILLS
        yield Symptom(row, "Unhealthy", message, subject_of(place.pod), uid, name, restarts, held=place.is_backing_off)
    else:
        message = f"exit code {code}{detail}{tail}"
        row = rows.CRASH_LOOP
        yield Symptom(
            row, "CrashLoopBackOff", message, subject_of(place.pod), uid, name, restarts, held=place.is_backing_off
        )


def _meaning(place: Place, code: int) -> str:
    """SIGKILL: the runtime does not always learn that it was the kernel's memory limit."""
    limit = place.container.resources.limits.get("memory")
    return f" (killed; its memory limit is {limit})" if code == 137 and limit else ""


def _reason(place: Place) -> str:
    end = place.last_end
    return end.reason if end is not None and end.reason else "Error"


def _probe_kills(look: Look, pod: Pod) -> _Kills:
    """Each kill is followed by a restart, so the two counts are one; the event may be there first."""
    told = [(event, texts.killed_by_probe(event.message)) for event in look.events_of(pod.metadata.uid)]
    killing = [(event, whom) for event, whom in told if whom is not None]
    total = sum(event_count(event) for event, _ in killing)
    counted, _ = look.counted((pod.metadata.uid, ""), total, born=is_born(look, pod), excused_to=total, excuse="")
    return _Kills(counted, dict(whom for _, whom in killing) if counted else {})


def _out_of_memory(look: Look, place: Place) -> Iterator[Symptom]:
    """Each kill once: by its time, because only the last two ends of a container are ever visible."""
    ends = (place.status.state.terminated, place.status.last_state.terminated)
    killed = [end for end in ends if end is not None and end.reason == "OOMKilled" and look.is_ours(end.finished_at)]
    # A Job's next attempt is a new pod, which the same limit kills again.
    uid = "" if place.is_job else place.pod.metadata.uid
    key = (rows.OUT_OF_MEMORY.id, uid, place.container.name)
    marks = frozenset(f"{place.pod.metadata.uid} {end.finished_at}" for end in killed)
    times = look.mark(key, marks)
    if killed and not has_proved_itself(look, place):
        limit = place.container.resources.limits.get("memory")
        bound = f"its memory limit of {limit}" if limit else "the memory of its cluster node"
        message = (
            f"killed for exceeding {bound} (exit code {killed[0].exit_code}), {times} time{'' if times == 1 else 's'}"
        )
        yield Symptom(rows.OUT_OF_MEMORY, "OOMKilled", message, subject_of(place.pod), uid, place.container.name, times)


def _settles_at(look: Look, places: Sequence[Place]) -> float | None:
    """When the last container that restarted in this deploy and has no probe will have run long enough."""
    moments = [
        time_or(running.started_at, look.now) + PROVEN_RUN
        for place in places
        if (running := place.status.state.running) is not None
        and not place.is_init
        and place.container.readiness_probe is None
        and (end := place.status.last_state.terminated) is not None
        and look.is_ours(end.finished_at)
    ]
    latest = max(moments, default=look.now)
    return latest if latest > look.now else None
