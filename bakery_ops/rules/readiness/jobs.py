"""Job and CronJob. A Job is Ready when it is complete, and not a moment before."""

from __future__ import annotations

from bakery_ops.model.live import Condition, CronJob, Job
from bakery_ops.model.words import one_line
from bakery_ops.rules import evidence as rows
from bakery_ops.rules.readiness import pod_events
from bakery_ops.rules.readiness.containers import has_ended_well
from bakery_ops.rules.readiness.crew import Crew, complete, judged_by_crew, muster
from bakery_ops.rules.readiness.look import Look, Symptom, subject_of
from bakery_ops.rules.readiness.pods import owned_by, places_of
from bakery_ops.rules.readiness.reading import Reading, held, ready

_DEFAULT_BACKOFF_LIMIT = 6


def job(look: Look, live: Job) -> Reading:
    """Complete is Ready; FailureTarget (set before Failed, while the pods still exist) is Failed; all else goes on."""
    true = {condition.type: condition for condition in live.status.conditions if condition.status == "True"}
    crew = muster(look, owned_by(look, live.metadata.uid), uid=live.metadata.uid, is_job=True)
    if "Complete" in true:
        look.completed = True
        reading = ready("complete")
    elif failure := true.get("FailureTarget") or true.get("Failed"):
        reading = judged_by_crew(look, crew, _attempts(live), [_failure(live, crew, failure)])
    elif live.spec.suspend and "Suspended" in true:
        reading = held("suspended")
    else:
        own = [] if live.status.active else _refusals(look, live)
        attempt = _attempt(live, crew)
        excused = attempt is not None and not look.observation.dependencies_ready
        own += [attempt] if attempt and not excused else []
        reading = judged_by_crew(look, crew, _message(live, crew), own, one_is_enough=True, excused=excused)
    return complete(crew, reading, counters=(live.status.succeeded,))


def _message(live: Job, crew: Crew) -> str:
    """How far it is. A controller that stands still leaves no other trace than what it has not done yet."""
    done = f"{live.status.succeeded}/{live.spec.completions or 1} done"
    if live.status.failed:
        return f"{done}, {_attempts(live)}"
    if live.status.start_time is None:
        return f"{done}; its controller has not begun it"
    if not live.status.succeeded and crew.pods and all(pod.status.phase == "Succeeded" for pod in crew.pods):
        return f"{done}; its pod ended well, and its controller has not counted it"
    return done


def _attempts(live: Job) -> str:
    limit = _DEFAULT_BACKOFF_LIMIT if live.spec.backoff_limit is None else live.spec.backoff_limit
    return f"{live.status.failed} failed of {limit + 1} attempt{'' if limit == 0 else 's'}"


def _failure(live: Job, crew: Crew, condition: Condition) -> Symptom:
    """The Job's own reason, and how its last pod ended: that is what the user has to read."""
    ending = _last_ending(crew)
    message = one_line(condition.message)
    if ending:
        message = f"{ending[0]} ({message})" if message else ending[0]
    subject, container = (ending[1], ending[2]) if ending else (subject_of(live), "")
    return Symptom(rows.JOB_FAILED, condition.reason or "Failed", message, subject, live.metadata.uid, container)


def _attempt(live: Job, crew: Crew) -> Symptom | None:
    """A pod of the Job ended badly; the Job makes another one, up to its backoffLimit."""
    ending = _last_ending(crew)
    if ending is None or not live.status.failed:
        return None
    message = f"{ending[0]}, {_attempts(live)}"
    return Symptom(rows.JOB_ATTEMPT, "Error", message, ending[1], live.metadata.uid, ending[2])


def _last_ending(crew: Crew) -> tuple[str, str, str] | None:
    """Message, pod and container of the newest pod that ended badly."""
    failed = sorted(crew.pods, key=lambda pod: (pod.metadata.creation_timestamp, pod.metadata.name), reverse=True)
    for pod in failed:
        for place in places_of(pod, is_job=True):
            end = place.last_end
            if end is not None and end.exit_code and not has_ended_well(place):
                detail = f": {one_line(end.message)}" if end.message.strip() else ""
                told = f"container {place.container.name} ended with exit code {end.exit_code}{detail}"
                return told, subject_of(pod), place.container.name
    return None


def _refusals(look: Look, live: Job) -> list[Symptom]:
    refused = pod_events.refusals(look, live.metadata.uid, subject_of(live))
    return [refused] if refused else []


def cron_job(look: Look, live: CronJob) -> Reading:
    """Ready when it exists: whether its Jobs succeed is not the deploy's business."""
    if live.spec.suspend:
        return ready("suspended", warnings=(f"{subject_of(live)} is suspended",))
    return ready(f"scheduled {live.spec.schedule}".strip())
