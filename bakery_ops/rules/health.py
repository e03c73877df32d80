"""What a routine look at a running platform finds: one check each, from facts to a result, as acceptance has them.

Nothing here fails a platform that works: what is worth a look is a warning. Failures come from the acceptance checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bakery_ops.model.quantities import memory_text, whole
from bakery_ops.model.secrets import GENERATED
from bakery_ops.model.times import time_or
from bakery_ops.model.words import amount, one_line, printable
from bakery_ops.rules.acceptance import CheckResult, CheckState

Live = Mapping[str, Any]

DAY = 86_400.0
WEEK = 7 * DAY
NEAR_LIMIT = 0.9  # of a memory limit; above it the next peak is an OOM kill
OLD_SECRET = 365 * DAY
_MESSAGE = 120
_NO_METRICS = "the metrics API is not served here: use cannot be told"


class Use(NamedTuple):
    """Memory of one container now, in bytes; `request` and `limit` are 0 where none is set."""

    pod: str
    container: str
    used: int
    request: int
    limit: int

    @property
    def name(self) -> str:
        return f"{self.pod}/{self.container}"

    @property
    def share(self) -> float:
        """Of the limit; 0 without one."""
        return self.used / self.limit if self.limit else 0.0


def uses(pods: Iterable[Live], metrics: Iterable[Live]) -> tuple[Use, ...]:
    """Pods and PodMetrics joined by name: every container that both know."""
    declared = {
        (pod["metadata"]["name"], container["name"]): container.get("resources") or {}
        for pod in pods
        for container in (pod.get("spec") or {}).get("containers") or ()
    }
    return tuple(
        Use(name, container["name"], whole(container["usage"]["memory"]), *_memory(declared[name, container["name"]]))
        for item in metrics
        for name in (item["metadata"]["name"],)
        for container in item.get("containers") or ()
        if (name, container["name"]) in declared
    )


def _memory(resources: Live) -> tuple[int, int]:
    limit = (resources.get("limits") or {}).get("memory", 0)
    return whole((resources.get("requests") or {}).get("memory", limit)), whole(limit)


def memory_use(found: Sequence[Use] | None) -> CheckResult:
    """The containers nearest to their memory limit."""
    if found is None:
        return CheckResult("memory-use", CheckState.SKIPPED, _NO_METRICS)
    near = [use for use in found if use.share >= NEAR_LIMIT]
    lines = tuple(_against_limit(use) for use in sorted(found, key=lambda use: (-use.share, -use.used)))
    message = f"{len(near)} of {len(found)} containers above {NEAR_LIMIT:.0%} of their memory limit"
    if near:
        return CheckResult("memory-use", CheckState.WARNING, message, lines, "raise the limit, or find the leak")
    return CheckResult("memory-use", CheckState.PASSED, message, lines)


def _against_limit(use: Use) -> str:
    limit = f"{use.share:.0%} of {memory_text(use.limit)}" if use.limit else "no limit"
    return f"{use.name}: {memory_text(use.used)}, {limit}"


def warning_events(events: Iterable[Live], now: float) -> CheckResult:
    """Warnings of the last day, those with one reason about one kind together."""
    groups: dict[tuple[str, str], list[Live]] = {}
    for event in events:
        if event.get("type") == "Warning" and now - _event_time(event) <= DAY:
            kind = str((event.get("involvedObject") or {}).get("kind", ""))
            groups.setdefault((str(event.get("reason", "")), kind), []).append(event)
    # kube-apiserver --event-ttl is an hour unless somebody raised it.
    kept = "the API server keeps events for an hour unless it was told otherwise"
    if not groups:
        return CheckResult("warning-events", CheckState.PASSED, f"no warning; {kept}")
    ordered = sorted(groups.items(), key=lambda group: -sum(map(_times, group[1])))
    lines = tuple(_event_line(reason, kind, members) for (reason, kind), members in ordered)
    count = sum(_times(event) for members in groups.values() for event in members)
    return CheckResult(
        "warning-events", CheckState.WARNING, f"{amount(count, 'warning')}; {kept}", lines, "invoke deploy.status"
    )


def _event_time(event: Live) -> float:
    series = event.get("series") or {}
    moments = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max(time_or(moment, 0.0) for moment in moments)


def _times(event: Live) -> int:
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def _event_line(reason: str, kind: str, members: Sequence[Live]) -> str:
    newest = max(members, key=_event_time)
    others = {_involved(event) for event in members} - {_involved(newest)}
    whom = f"{_involved(newest)} and {len(others)} more" if others else _involved(newest)
    said = printable(one_line(str(newest.get("message", ""))), _MESSAGE)
    return f"{reason} x{sum(map(_times, members))}, {kind.lower()}/{whom}: {said}"


def _involved(event: Live) -> str:
    return str((event.get("involvedObject") or {}).get("name", ""))


def finished_jobs(jobs: Iterable[Live], now: float) -> CheckResult:
    """Jobs that ended more than a week ago: they hold nothing but their pods' logs."""
    ended = [
        (str(job["metadata"]["name"]), str(end["type"]), now - time_or(end.get("lastTransitionTime"), now))
        for job in jobs
        for end in _ends(job)
    ]
    old = [each for each in ended if each[2] > WEEK]
    failed = [name for name, how, _ in old if how == "Failed"]
    lines = tuple(f"{name}: {how.lower()} {_days(age)} ago" for name, how, age in old)
    message = f"{len(old)} of {len(ended)} finished Jobs ended more than a week ago, {len(failed)} of them failed"
    if failed:
        return CheckResult("finished-jobs", CheckState.WARNING, message, lines, "invoke deploy runs a failed Job again")
    return CheckResult("finished-jobs", CheckState.PASSED, message, lines)


def _ends(job: Live) -> Iterator[Live]:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            yield condition


def autoscaler_activity(autoscalers: Sequence[Live], now: float) -> CheckResult:
    """How many replicas each autoscaler wants, when it last changed them, and whether it could."""
    if not autoscalers:
        return CheckResult("autoscaler-activity", CheckState.SKIPPED, "there is no autoscaler")
    trouble = [item["metadata"]["name"] for item in autoscalers if _hindered(item)]
    message = f"{len(autoscalers) - len(trouble)} of {len(autoscalers)} autoscalers work within their range"
    state = CheckState.WARNING if trouble else CheckState.PASSED
    lines = tuple(_scaler_line(item, now) for item in autoscalers)
    remedy = "raise maxReplicas where load asks for more: invoke capacity says what fits" if trouble else ""
    return CheckResult("autoscaler-activity", state, message, lines, remedy)


def _hindered(item: Live) -> str:
    """Why an autoscaler does not do what it would, or "". TooFewReplicas only says that minReplicas holds."""
    for condition in (item.get("status") or {}).get("conditions") or ():
        kind, status, reason = condition.get("type"), condition.get("status"), str(condition.get("reason", ""))
        if kind in ("AbleToScale", "ScalingActive") and status == "False" and reason != "ScalingDisabled":
            return reason
        if kind == "ScalingLimited" and status == "True" and reason != "TooFewReplicas":
            return reason
    return ""


def _scaler_line(item: Live, now: float) -> str:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    scaled = time_or(status.get("lastScaleTime"), 0.0)
    when = f"scaled {_days(now - scaled)} ago" if scaled else "never scaled"
    replicas = f"{status.get('currentReplicas', 0)} of {status.get('desiredReplicas', 0)} wanted"
    allowed = f"{spec.get('minReplicas', 1)}-{spec.get('maxReplicas', '?')}"
    why = _hindered(item)
    return f"{item['metadata']['name']}: {replicas} ({allowed}), {when}" + (f"; {why}" if why else "")


def volume_use(claims: Sequence[Live]) -> CheckResult:
    """Every claim with its size. How full it is no API tells: only the kubelet and the application know."""
    if not claims:
        return CheckResult("volume-use", CheckState.SKIPPED, "there is no volume claim")
    lost = [claim for claim in claims if (claim.get("status") or {}).get("phase") != "Bound"]
    sizes = [whole(((claim.get("status") or {}).get("capacity") or {}).get("storage", 0)) for claim in claims]
    lines = tuple(
        f"{claim['metadata']['name']}: {memory_text(size)}, {(claim.get('status') or {}).get('phase', 'unknown')}"
        for claim, size in zip(claims, sizes, strict=True)
    )
    message = f"{len(claims)} claims, {memory_text(sum(sizes))}; how full they are only the nodes know"
    if lost:
        return CheckResult("volume-use", CheckState.WARNING, message, lines, "invoke deploy.status")
    return CheckResult("volume-use", CheckState.PASSED, message, lines)


def sizing(found: Sequence[Use] | None, allocatable: int) -> CheckResult:
    """Requests against use, in one sample. `allocatable`: memory of all nodes in bytes, 0 when unknown."""
    if found is None:
        return CheckResult("sizing", CheckState.SKIPPED, _NO_METRICS)
    requested, used = sum(use.request for use in found), sum(use.used for use in found)
    small = [use for use in found if use.used > use.request]
    large = [use for use in found if use.used < use.request * 0.3]
    nodes = f" of {memory_text(allocatable)} on the nodes" if allocatable else ""
    message = (
        f"{memory_text(requested)} requested{nodes}, {memory_text(used)} used now; {len(small)} requests too small, "
        f"{len(large)} generous; one sample, no trend: monitoring keeps one"
    )
    lines = (*(_suggestion(use) for use in small), *(_suggestion(use) for use in large))
    state = CheckState.WARNING if small else CheckState.PASSED
    return CheckResult("sizing", state, message, lines, "invoke capacity proves a new set of requests" if small else "")


def _suggestion(use: Use) -> str:
    wanted = memory_text(use.used * 1.25)
    return f"{use.name}: uses {memory_text(use.used)} of {memory_text(use.request)} requested; {wanted} would do"


def secret_age(secrets: Iterable[Live], now: float) -> CheckResult:
    """The generated secrets, oldest first, by the age of the object: a changed value does not make it younger."""
    ages = sorted(
        (
            (now - time_or(item["metadata"].get("creationTimestamp"), now), str(item["metadata"]["name"]))
            for item in secrets
            if GENERATED in (item["metadata"].get("annotations") or {})
        ),
        reverse=True,
    )
    if not ages:
        return CheckResult("secret-age", CheckState.SKIPPED, "no secret here was generated by us")
    old = [name for age, name in ages if age > OLD_SECRET]
    lines = tuple(f"{name}: {_days(age)}" for age, name in ages)
    state = CheckState.WARNING if old else CheckState.PASSED
    return CheckResult("secret-age", state, f"{len(old)} of {len(ages)} generated secrets are older than a year", lines)


def backup_drill() -> CheckResult:
    return CheckResult(
        "backup-drill",
        CheckState.SKIPPED,
        "not shipped: no backup is taken or restored by this tool; do the drill by hand",
    )


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.0f} days" if seconds >= 2 * DAY else f"{seconds / 3600:.0f} hours"
