"""A deploy's report on the terminal: causes with their evidence, time per stage, checks, and three lines that matter.

Of a dry run: what would be written.
"""

from __future__ import annotations

from collections.abc import Sequence

from bakery_ops.report.formats.text import chain, counted, total
from bakery_ops.report.schema import Cause, Deploy
from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import show_parts
from bakery_ops.rules import diagnosis

_LATE = 3  # nodes that merely were not ready in time, told one by one; after an interruption none is
_LOG_LINES = 20
_LOGS = 6  # of one cause: init, app and sidecar, each with its previous container


def show(terminal: Terminal, report: Deploy, hints: Sequence[str] = ()) -> None:
    """On stdout. `hints`: lines below the headline that say where to look."""
    if report.seconds is None:
        terminal.show(*(f"{change.action:<12} {change.node}  ({change.reason})" for change in report.changes))
    late = [cause for cause in report.causes if cause.state == diagnosis.LATE]
    told = 0 if report.outcome == "interrupted" else _LATE
    for cause in report.causes:
        if cause not in late[told:]:
            _show_cause(terminal, cause)
    if rest := [cause.node for cause in late[told:]]:
        named = f"{', '.join(rest[:_LATE])}{f' and {len(rest) - _LATE} more' if len(rest) > _LATE else ''}"
        terminal.show(f"{'also ' if told else ''}not ready yet: {named}")
    _show_stages(terminal, report)
    for warning in report.warnings:
        terminal.show(f"warning: {warning}", style="yellow")
    show_parts(terminal, report.checks)
    terminal.show(report.headline, style="bold green" if report.outcome == "succeeded" else "bold red")
    if report.path:
        terminal.show(f"longest path {total(report.path):.1f} s: {chain(report.path)}")
    if report.requests is not None:
        terminal.show(counted(report.requests, report.watch_lag_p95))
    for hint in hints:
        terminal.show(f"  {hint}")


def _show_cause(terminal: Terminal, cause: Cause) -> None:
    terminal.show(cause.sentence, style="bold red")
    for evidence in cause.evidence[:1]:
        container = f" container {evidence.container}" if evidence.container else ""
        terminal.show(f"  {evidence.subject}{container}: {evidence.reason}: {evidence.message}")
    for event in cause.events:
        times = f" ({event.times} times)" if event.times > 1 else ""
        terminal.show(f"  event of {event.subject}: {event.reason}: {event.message}{times}")
    for tail in cause.logs[:_LOGS]:
        which = " (previous)" if tail.previous else ""
        terminal.show(f"  log of {tail.pod} container {tail.container}{which}:")
        terminal.show(*(f"    | {line}" for line in tail.lines[-_LOG_LINES:]))
    terminal.show(f"  next: {cause.next}", style="bold")


def _show_stages(terminal: Terminal, report: Deploy) -> None:
    if not any(stage.seconds for stage in report.stages):
        return
    took = {node.name: node.ready_after for node in report.nodes}
    rows = []
    for stage in report.stages:
        began = "" if stage.began_at is None else f"{stage.began_at:.1f}"
        wall = "" if stage.seconds is None else f"{stage.seconds:.1f}"
        slowest = f"{stage.slowest} {took[stage.slowest]:.1f} s" if took.get(stage.slowest) else ""
        rows.append((stage.title, str(stage.objects), str(stage.applied), began, wall, slowest))
    terminal.table(("stage", "objects", "applied", "began at s", "took s", "slowest"), rows, right=(1, 2, 3, 4))
