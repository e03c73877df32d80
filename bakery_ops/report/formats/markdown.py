"""The report for a merge request, a chat or a job summary: outcome first, then why, then where the time went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bakery_ops.report.formats.text import chain, counted, fenced, total
from bakery_ops.report.formats.text import markdown as safe
from bakery_ops.report.schema import Cause, Deploy, Stage

_LOG_LINES = 20


def markdown(report: Deploy) -> str:
    parts = [
        f"# Deploy of {safe(report.profile)} to {safe(report.context)}: {safe(report.outcome)}",
        "",
        safe(report.headline),
        *(f"\n{safe(line)}" for line in report.refusal[1:]),
        *(line for cause in report.causes for line in _cause(cause)),
        *_time(report),
        *_checks(report),
        *_warnings(report),
    ]
    return "\n".join(parts) + "\n"


def _cause(cause: Cause) -> Iterator[str]:
    yield from ("", f"## {safe(cause.sentence)}", "")
    for found in cause.evidence[:1]:
        container = f" container {found.container}" if found.container else ""
        yield f"- {safe(f'{found.subject}{container}: {found.reason}: {found.message}')}"
    for event in cause.events:
        yield f"- event of {safe(f'{event.subject}: {event.reason}: {event.message} ({event.times}x)')}"
    for log in cause.logs:
        which = " (previous)" if log.previous else ""
        yield from ("", f"Log of {safe(log.pod)} container {safe(log.container)}{which}:", "")
        yield from fenced(log.lines[-_LOG_LINES:])
    yield from ("", "Next:", "", *fenced((cause.next,)))


def _time(report: Deploy) -> Iterator[str]:
    if report.path:
        yield from ("", f"Longest path {total(report.path):.1f} s: {safe(chain(report.path, ' → '))}")
    if report.requests is not None:
        yield from ("", counted(report.requests, report.watch_lag_p95))
    headings = ("stage", "objects", "applied", "began at s", "took s", "slowest")
    yield from _table(headings, [_stage(stage) for stage in report.stages if stage.seconds is not None])


def _stage(stage: Stage) -> Sequence[str]:
    times = (_number(stage.began_at), _number(stage.seconds))
    return (stage.title, str(stage.objects), str(stage.applied), *times, stage.slowest)


def _checks(report: Deploy) -> Iterator[str]:
    yield from _table(("check", "state", "seen"), [(check.name, check.state, check.message) for check in report.checks])


def _warnings(report: Deploy) -> Iterator[str]:
    if report.warnings:
        yield from ("", *(f"- warning: {safe(warning)}" for warning in report.warnings))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    lines = [f"| {' | '.join(safe(cell) for cell in row)} |" for row in rows]
    if lines:
        yield from ("", f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}", *lines)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
