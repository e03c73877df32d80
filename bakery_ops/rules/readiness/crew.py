"""The pods behind a workload, together: when their trouble becomes the workload's, and what it says meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from bakery_ops.model.live import Pod
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import pod_events
from bakery_ops.rules.readiness.look import Look, Symptom, Weighed
from bakery_ops.rules.readiness.pods import Report, is_over, is_terminating, report, restarts_of
from bakery_ops.rules.readiness.reading import Reading, progressing, worst_first
from bakery_ops.rules.verdict import Verdict


class Crew(NamedTuple):
    """The pods of the current revision that are not going away, each with its report, in the order of their names."""

    pods: tuple[Pod, ...]
    reports: tuple[Report, ...]
    evicted: Symptom | None

    @property
    def in_service(self) -> tuple[Report, ...]:
        """Those that still run or try to."""
        return tuple(story for story in self.reports if not is_over(story.pod))

    @property
    def laggard(self) -> str:
        """What the first pod that is not ready is about, "" when all are ready."""
        return next((story.message for story in self.in_service if story.message != "ready"), "")

    @property
    def counters(self) -> tuple[int, ...]:
        return tuple(map(sum, zip(*(story.counters for story in self.reports), strict=True))) or (0,) * 5

    @property
    def settles_at(self) -> float | None:
        return max((story.settles_at for story in self.reports if story.settles_at is not None), default=None)


def muster(look: Look, pods: Iterable[Pod], *, uid: str, is_job: bool = False) -> Crew:
    """The reports of these pods; `uid` is the owner's, over whose pods evictions are counted."""
    everyone = list(pods)
    staying = tuple(pod for pod in everyone if not is_terminating(pod))
    room_is_coming = any(isinstance(child, Pod) and is_terminating(child) for child in look.observation.children)
    reports = tuple(report(look, pod, is_job=is_job, room_is_coming=room_is_coming) for pod in staying)
    return Crew(staying, reports, pod_events.evictions(look, everyone, uid=uid))


def settled(look: Look, crew: Crew, reading: Reading) -> Reading:
    """A Ready reading, unless the pods know better: one has just crashed, or runs again and has yet to prove itself.

    Without a readiness probe a container counts as ready whenever it runs, and the counters lag behind its end.
    """
    if any(story.weighed or story.excused for story in crew.in_service):
        reading = judged_by_crew(look, crew, reading.message)
    elif crew.settles_at is not None:
        look.wake(crew.settles_at)
        reading = progressing("a container restarted; it has to stay up")
    elif told := pod_events.evicted(crew.pods):
        reading = replace(reading, message=f"{reading.message}; {told}")
    return complete(crew, reading)


def complete(crew: Crew, reading: Reading, *, counters: tuple[int, ...] = (), revision: str = "") -> Reading:
    """The reading with what only the pods know: restarts, progress, whom they wait for."""
    waiting = dict.fromkeys(name for story in crew.reports for name in story.waiting_for)
    return Reading(
        reading.verdict,
        reading.message,
        reading.evidence,
        tuple(sorted(waiting)),
        reading.held,
        reading.warnings,
        revision or reading.revision,
        (*counters, *crew.counters) if counters or not reading.counters else reading.counters,
        restarts_of(crew.pods),
    )


def judged_by_crew(
    look: Look,
    crew: Crew,
    message: str,
    own: Sequence[Symptom] = (),
    *,
    one_is_enough: bool = False,
    excused: bool = False,
) -> Reading:
    """The reading of a workload that is not Ready.

    Args:
        message: How far it got: "1/2 available".
        own: Evidence about the workload itself, not about one pod.
        one_is_enough: One doomed pod fails the workload; else every pod in service must be doomed.
        excused: It failed before, but because a dependency was not Ready.
    """
    symptoms = [*own, *([crew.evicted] if crew.evicted else [])]
    weighed = tuple(look.weigh(symptom) for symptom in symptoms)
    from_pods = tuple(one for story in crew.reports for one in story.weighed)
    evidence = _most_telling_first((*weighed, *from_pods))
    if not evidence:
        return _without_evidence(look, crew, message, excused)
    fails = any(one.failed for one in weighed) or _escalates(crew, one_is_enough)
    verdict = Verdict.FAILED if fails else Verdict.FAILING
    return Reading(verdict, f"{message}; {_headline(evidence)}", evidence)


def _most_telling_first(weighed: Sequence[Weighed]) -> tuple[Weighed, ...]:
    """Worst first, but a deadline that passed says only that: whatever a pod says is why it passed."""
    reasons = worst_first(one for one in weighed if one.row is not rows.DEADLINE_EXCEEDED)
    return (*reasons, *worst_first(one for one in weighed if one.row is rows.DEADLINE_EXCEEDED))


def _headline(evidence: Sequence[Weighed]) -> str:
    first = evidence[0].evidence
    return f"{first.reason}: {first.message}"


def _escalates(crew: Crew, one_is_enough: bool) -> bool:
    if one_is_enough:
        return any(story.is_doomed for story in crew.reports)
    doomed = [story.is_doomed for story in crew.in_service]
    return bool(doomed) and all(doomed)


def _without_evidence(look: Look, crew: Crew, message: str, excused: bool) -> Reading:
    detail = f"; {crew.laggard}" if crew.laggard else ""
    if excused or any(story.excused for story in crew.reports):
        begun = "begun while a dependency was" if look.observation.dependencies_ready else "while a dependency is"
        return Reading(Verdict.BLOCKED, f"{message}; crashes do not count {begun} not ready{detail}")
    if any(story.waiting_for for story in crew.reports):
        return Reading(Verdict.BLOCKED, f"{message}{detail}")
    return progressing(f"{message}{detail}")
