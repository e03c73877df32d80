"""A deploy's report: what begins, how it ended, why, and where to look next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bakery_ops.errors import UsageError
from bakery_ops.model.graph import Graph
from bakery_ops.report.runs import write_whole
from bakery_ops.report.terminal import Terminal
from bakery_ops.report.verification import show_checks
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.diagnosis import RootCause
from bakery_ops.rules.plan import Action, Plan
from bakery_ops.rules.reports import DeployReport
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.result import RolloutResult, Status
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.rules.verdict import Verdict

FORMATS = ("json", "markdown")
_LOG_LINES = 20


def introduce(terminal: Terminal, overlay: str, graph: Graph, context: str, version: str) -> None:
    """The first lines of a run: what goes where."""
    workloads = len(graph.workloads())
    terminal.say(f"{overlay}: {len(graph)} objects, {workloads} workloads -> context {context} (Kubernetes {version})")


def show(terminal: Terminal, report: DeployReport, folder: Path, hints: Sequence[str]) -> None:
    """The summary on stdout: outcome, causes with evidence, time per stage, checks, where to look."""
    result = report.rollout
    if result is None:
        show_plan(terminal, report.plan)
        return
    for cause in result.causes:
        _show_cause(terminal, cause, result)
    _show_stages(terminal, report)
    for warning in grouped(result.warnings):
        terminal.show(f"warning: {warning}", style="yellow")
    if report.verified is not None:
        show_checks(terminal, report.verified)
    style = "bold green" if report.outcome is Outcome.SUCCEEDED else "bold red"
    terminal.show(_headline(report, terminal.elapsed()), style=style)
    for hint in (*hints, f"report: {folder}"):
        terminal.show(f"  {hint}")


def grouped(warnings: Sequence[str]) -> list[str]:
    """Warnings of the form "node: text", the same text said once for all its nodes."""
    nodes: dict[str, list[str]] = {}
    for warning in warnings:
        node, _, text = warning.partition(": ")
        nodes.setdefault(text.replace(node, "it"), []).append(node.partition("/")[2] or node)
    return [f"{', '.join(names)}: {text}" for text, names in nodes.items()]


def _headline(report: DeployReport, seconds: float) -> str:
    result = report.rollout
    assert result is not None  # noqa: S101 a report without a rollout has no headline
    applied, unchanged = result.count(Status.APPLIED), result.count(Status.UNCHANGED)
    counts = f"{applied} applied, {unchanged} unchanged"
    others = [
        f"{count} {status.value}"
        for status in (Status.FAILED, Status.SKIPPED, Status.UNKNOWN)
        if (count := result.count(status))
    ]
    skipped = sum(check.state is CheckState.SKIPPED for check in report.verified.results) if report.verified else 0
    if skipped:
        others.append(f"{skipped} check{'' if skipped == 1 else 's'} skipped")
    tail = f"{', '.join([counts, *others])}; {sum(report.requests.values()) or result.requests} API requests"
    if report.outcome is Outcome.SUCCEEDED:
        return f"deployed and verified in {seconds:.1f} s: {tail}"
    if result.outcome is Outcome.SUCCEEDED:
        return f"deployed in {seconds:.1f} s, but verify found failures: {tail}"
    return f"deploy {result.outcome.value} after {seconds:.1f} s: {tail}"


def _show_cause(terminal: Terminal, cause: RootCause, result: RolloutResult) -> None:
    terminal.show(cause.sentence, style="bold red")
    for evidence in cause.evidence[:1]:
        container = f" container {evidence.container}" if evidence.container else ""
        terminal.show(f"  {evidence.subject}{container}: {evidence.reason}: {evidence.message}")
    for event in result.events_of(cause):
        times = f" ({event.times} times)" if event.times > 1 else ""
        terminal.show(f"  event of {event.subject}: {event.reason}: {event.message}{times}")
    for tail in result.logs_of(cause)[:3]:
        which = " (previous)" if tail.previous else ""
        terminal.show(f"  log of {tail.pod} container {tail.container}{which}:")
        for line in tail.lines[-_LOG_LINES:]:
            terminal.show(f"    | {line}")


def _show_stages(terminal: Terminal, report: DeployReport) -> None:
    result = report.rollout
    if result is None or not any(timing.wall for timing in result.stages):
        return
    rows = []
    for timing in result.stages:
        members = [node for node in result.nodes.values() if node.stage is timing.stage]
        changed = sum(node.status is Status.APPLIED for node in members)
        started = "" if timing.started_at is None else f"{timing.started_at - result.started:.1f}"
        wall = "" if timing.wall is None or timing.wall < 0 else f"{timing.wall:.1f}"
        slowest = max(members, key=lambda node: node.ready_after or 0.0, default=None)
        named = f"{slowest.name} {slowest.ready_after:.1f} s" if slowest is not None and slowest.ready_after else ""
        rows.append((timing.stage.title, str(len(members)), str(changed), started, wall, named))
    terminal.table(("stage", "objects", "applied", "began at s", "took s", "slowest"), rows, right=(1, 2, 3, 4))


def show_plan(terminal: Terminal, plan: Plan) -> None:
    """What a deploy would write, one line an object, with the reason."""
    for step in plan.changes:
        terminal.show(f"{step.action.value:<12} {step.node}  ({step.reason})")
    for orphan in plan.prune:
        terminal.show(f"{'prune':<12} {orphan.ref}")
    unchanged = sum(step.action in (Action.SKIP, Action.DONE) for step in plan.steps.values())
    counts = f"{len(plan.changes)} to write, {len(plan.prune)} to prune, {unchanged} unchanged"
    terminal.show(f"{counts}; nothing was written")


def show_status(terminal: Terminal, view: RolloutView) -> None:
    """A row per workload, and the causes of what is not ready."""
    rows = [
        (node.name, node.stage.title, node.kind, node.verdict.value, node.message, str(node.restarts or ""))
        for node in view.nodes.values()
        if node.is_workload or node.verdict is not Verdict.READY
    ]
    terminal.table(("name", "stage", "kind", "state", "detail", "restarts"), rows, right=(5,))
    for cause in view.causes:
        terminal.show(cause.sentence, style="bold red")


def status_document(view: RolloutView) -> dict[str, Any]:
    return {
        "apiVersion": "bakery-ia.dev/v1",
        "kind": "DeployStatus",
        "nodes": [
            {
                "name": node.name,
                "kind": node.kind,
                "stage": node.stage.value,
                "state": node.verdict.value,
                "message": node.message,
            }
            for node in view.nodes.values()
        ],
        "causes": [cause.sentence for cause in view.causes],
    }


def document(report: DeployReport, profile: str, context: str) -> dict[str, Any]:
    """The summary as JSON: `apiVersion` and `kind` name its schema (docs/report-schema.md)."""
    result = report.rollout
    body: dict[str, Any] = {
        "apiVersion": "bakery-ia.dev/v1",
        "kind": "DeployReport",
        "profile": profile,
        "context": context,
        "outcome": report.outcome.value,
        "changes": [
            {"node": step.node, "action": step.action.value, "reason": step.reason} for step in report.plan.changes
        ],
    }
    if result is not None:
        body |= {
            "seconds": round(result.seconds, 3),
            "requests": sum(report.requests.values()) or result.requests,
            "requestsByKind": dict(sorted(report.requests.items(), key=lambda item: (-item[1], item[0]))),
            "causes": [_cause(cause, result) for cause in result.causes],
            "stages": [{"stage": timing.stage.value, "seconds": timing.wall} for timing in result.stages],
            "nodes": [
                {
                    "name": node.name,
                    "kind": node.ref.kind,
                    "stage": node.stage.value,
                    "status": node.status.value,
                    "verdict": node.verdict.value,
                    "message": node.message,
                    "readyAfter": node.ready_after,
                    "restarts": node.restarts,
                }
                for node in result.nodes.values()
            ],
            "warnings": list(result.warnings),
        }
    if report.verified is not None:
        body["checks"] = [
            {"name": check.name, "state": check.state.value, "message": check.message, "evidence": list(check.evidence)}
            for check in report.verified.results
        ]
    return body


def _cause(cause: RootCause, result: RolloutResult) -> dict[str, Any]:
    return {
        "sentence": cause.sentence,
        "node": cause.node,
        "state": cause.state,
        "reason": cause.reason,
        "message": cause.message,
        "blocks": list(cause.blocked),
        "evidence": [
            {"subject": each.subject, "container": each.container, "reason": each.reason, "message": each.message}
            for each in cause.evidence
        ],
        "events": [
            {"subject": each.subject, "reason": each.reason, "message": each.message, "times": each.times}
            for each in result.events_of(cause)
        ],
        "logs": [
            {"pod": tail.pod, "container": tail.container, "previous": tail.previous, "lines": list(tail.lines)}
            for tail in result.logs_of(cause)
        ],
    }


def destinations(requested: Sequence[str]) -> list[tuple[str, Path]]:
    """`--report-file FORMAT=PATH` read and checked before anything begins. Raises UsageError."""
    found = []
    for item in requested:
        form, _, path = item.partition("=")
        if form not in FORMATS or not path:
            raise UsageError(f"--report-file: {item!r} is not FORMAT=PATH", remedy=f"formats: {', '.join(FORMATS)}")
        if not Path(path).absolute().parent.is_dir():
            raise UsageError(f"--report-file: the folder of {path} does not exist")
        found.append((form, Path(path)))
    return found


def write_reports(wanted: Sequence[tuple[str, Path]], summary: Mapping[str, Any]) -> None:
    for form, path in wanted:
        text = json.dumps(summary, indent=1, default=str) + "\n" if form == "json" else _markdown(summary)
        write_whole(path.absolute(), text)


def _markdown(summary: Mapping[str, Any]) -> str:
    lines = [f"# Deploy of {summary['profile']} to {summary['context']}: {summary['outcome']}", ""]
    lines += [f"- {cause['sentence']}" for cause in summary.get("causes", ())]
    lines += ["", "| check | state | seen |", "|---|---|---|"]
    lines += [f"| {check['name']} | {check['state']} | {check['message']} |" for check in summary.get("checks", ())]
    return "\n".join(lines) + "\n"
