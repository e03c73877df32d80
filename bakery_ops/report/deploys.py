"""From what a deploy came to, to its document (`report.schema`): the step that every format and the terminal share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec

from bakery_ops.errors import BakeryError, ExitCode
from bakery_ops.model.times import format_time
from bakery_ops.report import plans, schema
from bakery_ops.report.verification import check_parts
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.diagnosis import RootCause
from bakery_ops.rules.next_step import Address, next_step
from bakery_ops.rules.plan import Plan
from bakery_ops.rules.reports import DeployReport, Run
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.result import NodeResult, RolloutResult, StageTiming, Status
from bakery_ops.rules.timeline import Span, longest_path, savings

_NOTABLE = 0.05  # seconds; shorter steps of the longest path would be shown as 0.0


def document(report: DeployReport, run: Run) -> schema.Deploy:
    """The whole report. Of a dry run it holds the plan's changes and nothing of a rollout."""
    result = report.rollout
    checks = () if report.verified is None else check_parts(report.verified)
    common = schema.Deploy(
        run=run.id,
        profile=run.profile,
        overlay=run.overlay,
        context=run.address.context,
        outcome=report.outcome.value,
        headline=_headline(report, run.seconds),
        total_seconds=round(run.seconds, 3),
        watch_lag_p95=None if run.lag is None else round(run.lag, 6),
        changes=_changes(report.plan),
        checks=checks,
    )
    return common if result is None else _rolled_out(common, result, report.requests, run.address)


def stopped(error: BakeryError, run: Run) -> schema.Deploy:
    """The report of a deploy that an error or a signal ended before it came to anything."""
    remedy = [f"next: {error.remedy}"] if error.remedy else []
    return schema.Deploy(
        run=run.id,
        profile=run.profile,
        overlay=run.overlay,
        context=run.address.context,
        outcome=stopped_outcome(error),
        headline=str(error),
        total_seconds=round(run.seconds, 3),
        refusal=(str(error), *error.details, *remedy),
    )


def stopped_outcome(error: BakeryError) -> str:
    """How a run ended that an error or a signal stopped, in a word."""
    return _STOPPED.get(error.exit_code, "failed")


_STOPPED = {
    ExitCode.USAGE: "refused",
    ExitCode.PREFLIGHT: "refused",
    ExitCode.REFUSED: "refused",
    ExitCode.LOCKED: "locked",
    ExitCode.TIMEOUT: "timed out",
    ExitCode.INTERRUPTED: "interrupted",
}


def _rolled_out(
    common: schema.Deploy, result: RolloutResult, requests: Mapping[str, int], address: Address
) -> schema.Deploy:
    spans = [_span(node, result) for node in result.nodes.values()]
    path = longest_path(spans)
    saved = savings(spans, path)
    return msgspec.structs.replace(
        common,
        started=format_time(result.started),
        seconds=round(result.seconds, 3),
        requests=sum(requests.values()) or result.requests,
        requests_by_kind=dict(sorted(requests.items(), key=lambda item: (-item[1], item[0]))),
        causes=tuple(_cause(cause, result, address) for cause in result.causes),
        path=tuple(
            schema.Step(node=step.name, seconds=round(step.seconds, 3), saves=round(saved[step.name], 3))
            for step in path.steps
            if step.seconds >= _NOTABLE
        ),
        stages=tuple(_stage(timing, result) for timing in result.stages),
        nodes=tuple(_node(node, result) for node in result.nodes.values()),
        warnings=tuple(grouped(result.warnings)),
    )


def grouped(warnings: Sequence[str]) -> list[str]:
    """Warnings of the form "node: text", the same text said once for all its nodes."""
    nodes: dict[str, list[str]] = {}
    for warning in warnings:
        node, _, text = warning.partition(": ")
        nodes.setdefault(text.replace(node, "it"), []).append(node.partition("/")[2] or node)
    return [f"{', '.join(names)}: {text}" for text, names in nodes.items()]


def _headline(report: DeployReport, seconds: float) -> str:
    result = report.rollout
    if result is None:
        return plans.headline(report.plan)
    applied, unchanged = result.count(Status.APPLIED), result.count(Status.UNCHANGED)
    others = [
        f"{count} {status.value}"
        for status in (Status.FAILED, Status.SKIPPED, Status.UNKNOWN)
        if (count := result.count(status))
    ]
    skipped = sum(check.state is CheckState.SKIPPED for check in report.verified.results) if report.verified else 0
    if skipped:
        others.append(f"{skipped} check{'' if skipped == 1 else 's'} skipped")
    counts = ", ".join([f"{applied} applied", f"{unchanged} unchanged", *others])
    if report.outcome is Outcome.SUCCEEDED and report.verified is None:  # a recording has no checks
        return f"rolled out in {seconds:.1f} s, not verified: {counts}"
    if report.outcome is Outcome.SUCCEEDED:
        return f"deployed and verified in {seconds:.1f} s: {counts}"
    if result.outcome is Outcome.SUCCEEDED:
        return f"deployed in {seconds:.1f} s, but verify found failures: {counts}"
    return f"deploy {result.outcome.value} after {seconds:.1f} s: {counts}"


def _changes(plan: Plan) -> tuple[schema.Change, ...]:
    written = (schema.Change(node=step.node, action=step.action.value, reason=step.reason) for step in plan.changes)
    pruned = (schema.Change(node=str(orphan.ref), action="prune", reason="left the render") for orphan in plan.prune)
    return tuple(chain(written, pruned))


def _span(node: NodeResult, result: RolloutResult) -> Span:
    """What never became ready took until the end."""
    if node.sent_at is None:
        return Span(node.name, 0.0, node.needs)
    ended = result.ended if node.ready_at is None else node.ready_at
    return Span(node.name, max(0.0, ended - node.sent_at), node.needs)


def _cause(cause: RootCause, result: RolloutResult, address: Address) -> schema.Cause:
    first = result.nodes[cause.members[0]]
    return schema.Cause(
        sentence=cause.sentence,
        node=cause.node,
        state=cause.state,
        reason=cause.reason,
        message=cause.message,
        blocks=cause.blocked,
        evidence=tuple(
            schema.Evidence(
                subject=found.subject, container=found.container, reason=found.reason, message=found.message
            )
            for found in cause.evidence
        ),
        events=tuple(
            schema.Event(
                at=round(event.at - result.started, 3),
                subject=event.subject,
                reason=event.reason,
                message=event.message,
                times=event.times,
            )
            for event in result.events_of(cause)
        ),
        logs=tuple(
            schema.Log(pod=tail.pod, container=tail.container, previous=tail.previous, lines=tail.lines)
            for tail in result.logs_of(cause)
        ),
        source=first.source,
        next=next_step(cause, first.ref, address),
    )


def _stage(timing: StageTiming, result: RolloutResult) -> schema.Stage:
    members = [node for node in result.nodes.values() if node.stage is timing.stage]
    slowest = _slowest(members)
    wall = timing.wall
    return schema.Stage(
        stage=timing.stage.value,
        title=timing.stage.title,
        objects=len(members),
        applied=sum(node.status is Status.APPLIED for node in members),
        began_at=_since(timing.started_at, result),
        seconds=None if wall is None or wall < 0 else round(wall, 3),
        slowest="" if slowest is None else slowest.name,
    )


def _slowest(members: Iterable[NodeResult]) -> NodeResult | None:
    timed = [node for node in members if node.ready_after]
    return max(timed, key=lambda node: node.ready_after or 0.0, default=None)


def _node(node: NodeResult, result: RolloutResult) -> schema.Node:
    return schema.Node(
        name=node.name,
        kind=node.ref.kind,
        stage=node.stage.value,
        status=node.status.value,
        verdict=node.verdict.value,
        message=node.message,
        workload=node.ref.is_workload,
        needs=node.needs,
        sent_at=_since(node.sent_at, result),
        scheduled_at=_since(node.milestones.scheduled_at, result),
        initialized_at=_since(node.milestones.initialized_at, result),
        ready_at=_since(node.ready_at, result),
        ready_after=None if node.ready_after is None else round(node.ready_after, 3),
        restarts=node.restarts,
        source=node.source,
    )


def _since(moment: float | None, result: RolloutResult) -> float | None:
    return None if moment is None else round(moment - result.started, 3)
