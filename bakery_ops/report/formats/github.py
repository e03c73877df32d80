"""What GitHub Actions reads on the log: groups, and an annotation per failure at its file and line.

The runner takes any line that begins with `::` for an order, from stdout and stderr alike, and looks for the older form
`##[` anywhere in it ("Workflow commands for GitHub Actions"). So text of a cluster never begins a line, and `defused`
breaks the older form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from bakery_ops.report.formats.text import chain, counted, total
from bakery_ops.report.schema import Cause, Check, Deploy
from bakery_ops.report.terminal import literal

_PLACE = re.compile(r"^(?P<file>.+\.ya?ml):(?P<line>\d+)(?: item \d+)?$")
_TITLE = 80


def github(report: Deploy) -> str:
    lines = [
        *([_order("error", "\n".join(defused(line) for line in report.refusal))] if report.refusal else []),
        *(_cause_error(cause, report.overlay) for cause in report.causes),
        *(_check_error(check) for check in report.checks if check.state == "failed"),
        *(_order("warning", defused(warning)) for warning in report.warnings),
        *(line for cause in report.causes for line in _group(cause.sentence, _evidence(cause))),
        *_group("where the time went", _times(report)),
        *_acceptance(report.checks),
        f"- {defused(report.headline)}",
    ]
    return "\n".join(lines) + "\n"


def github_checks(checks: Sequence[Check]) -> str:
    """The same for `invoke verify`."""
    lines = [*(_check_error(check) for check in checks if check.state == "failed"), *_acceptance(checks)]
    return "\n".join(lines) + "\n"


def _acceptance(checks: Sequence[Check]) -> Iterator[str]:
    return _group("acceptance", (f"{check.state:<8} {check.name}: {check.message}" for check in checks))


def defused(text: str) -> str:
    """Text that is no order wherever it stands on a line, as long as it does not begin it."""
    return literal(text).replace("##[", "##\\x5b")


def _cause_error(cause: Cause, overlay: str) -> str:
    """`source` is told from the overlay's folder, of what kustomize built not at all."""
    place = _PLACE.match(cause.source)
    where = {"file": f"{PurePosixPath(overlay, place['file'])}", "line": place["line"]} if place else {}
    title = f"{cause.node} {cause.state}"
    lines = [cause.sentence, *(log for tail in cause.logs[:1] for log in tail.lines[-5:]), f"next: {cause.next}"]
    return _order("error", "\n".join(defused(line) for line in lines), **where, title=title[:_TITLE])


def _check_error(check: Check) -> str:
    lines = [check.message, *check.evidence[:8]]
    return _order("error", "\n".join(defused(line) for line in lines), title=f"check {check.name}"[:_TITLE])


def _order(name: str, message: str, **properties: str) -> str:
    told = ",".join(f"{key}={_property(defused(value))}" for key, value in properties.items())
    return f"::{name}{' ' if told else ''}{told}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _group(title: str, lines: Iterator[str]) -> Iterator[str]:
    shown = [f"| {defused(line)}" for line in lines]
    if shown:
        yield from (_order("group", defused(title)), *shown, "::endgroup::")


def _evidence(cause: Cause) -> Iterator[str]:
    for found in cause.evidence:
        yield f"{found.subject} {found.container}: {found.reason}: {found.message}"
    for event in cause.events:
        yield f"event of {event.subject}: {event.reason}: {event.message} ({event.times}x)"
    for log in cause.logs:
        yield f"log of {log.pod} container {log.container}{' (previous)' if log.previous else ''}:"
        yield from (f"  {line}" for line in log.lines)
    yield f"next: {cause.next}"


def _times(report: Deploy) -> Iterator[str]:
    for stage in report.stages:
        if stage.seconds is not None:
            slowest = f"  slowest {stage.slowest}" if stage.slowest else ""
            yield f"{stage.title:<15} {stage.applied:>4} applied {stage.seconds:>8.1f} s{slowest}"
    if report.path:
        yield f"longest path {total(report.path):.1f} s: {chain(report.path)}"
    if report.requests is not None:
        yield counted(report.requests, report.watch_lag_p95)
