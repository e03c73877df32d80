"""JUnit XML: a suite per stage with a case per workload, and a suite of the acceptance checks. CI systems draw it."""

from __future__ import annotations

from collections.abc import Iterable

from bakery_ops.report.formats.text import xml
from bakery_ops.report.schema import Cause, Check, Deploy, Node


def junit(report: Deploy) -> str:
    told = {name: cause for cause in reversed(report.causes) for name in (*cause.blocks, cause.node)}
    suites = [_stage(stage.title, report, stage.stage, told) for stage in report.stages]
    if report.checks:
        suites.append(_suite("acceptance", [_check(check) for check in report.checks]))
    if report.refusal:
        failure = _failure(report.headline, report.refusal)
        suites.append(_suite("preflight", [_case("preflight", report.outcome, 0.0, failure)]))
    lines = [line for suite in suites for line in suite]
    total, failures, _ = _counts(lines)
    head = f'<testsuites name="{xml(f"deploy {report.profile} to {report.context}")}" tests="{total}"'
    whole = [f'{head} failures="{failures}" time="{report.seconds or 0.0:.3f}">', *lines, "</testsuites>"]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *whole]) + "\n"


def _stage(title: str, report: Deploy, stage: str, told: dict[str, Cause]) -> list[str]:
    """Workloads, and of the configuration only what failed: a hundred passed ConfigMaps tell nobody anything."""
    members = [node for node in report.nodes if node.stage == stage and (node.workload or node.status == "failed")]
    return _suite(title, [_node(title, node, told.get(node.name)) for node in members])


def _suite(name: str, cases: list[str]) -> list[str]:
    total, failures, skipped = _counts(cases)
    counts = f'tests="{total}" failures="{failures}" skipped="{skipped}"'
    return [f'<testsuite name="{xml(name)}" {counts}>', *cases, "</testsuite>"]


def _counts(cases: Iterable[str]) -> tuple[int, int, int]:
    """Cases, failures, skipped; each case is one line of XML."""
    lines = [line for line in cases if line.startswith("<testcase")]
    return len(lines), sum("<failure" in line for line in lines), sum("<skipped" in line for line in lines)


def _node(title: str, node: Node, cause: Cause | None) -> str:
    inside = ""
    if node.status == "failed" or (node.status == "unknown" and node.verdict != "ready"):
        inside = _failure(cause.sentence if cause else node.message, _evidence(cause))
    elif node.status == "skipped":
        inside = f'<skipped message="{xml(cause.sentence if cause else node.message)}"/>'
    return _case(title, node.name, node.ready_after or 0.0, inside)


def _evidence(cause: Cause | None) -> list[str]:
    if cause is None:
        return []
    lines = [f"{found.subject} {found.container}: {found.reason}: {found.message}" for found in cause.evidence]
    lines += [f"event of {event.subject}: {event.reason}: {event.message}" for event in cause.events]
    for log in cause.logs:
        lines += [f"log of {log.pod} container {log.container}:", *(f"  {line}" for line in log.lines)]
    return [*lines, f"next: {cause.next}"]


def _check(check: Check) -> str:
    inside = ""
    if check.state == "failed":
        inside = _failure(check.message, [*check.evidence, *([f"next: {check.remedy}"] if check.remedy else [])])
    elif check.state == "skipped":
        inside = f'<skipped message="{xml(check.message)}"/>'
    return _case("acceptance", check.name, 0.0, inside)


def _failure(message: str, lines: Iterable[str]) -> str:
    text = "&#10;".join(xml(line) for line in lines)  # a line break as a reference: the case stays one line of XML
    return f'<failure message="{xml(message)}">{text}</failure>'


def _case(group: str, name: str, seconds: float, inside: str) -> str:
    head = f'<testcase classname="{xml(group)}" name="{xml(name)}" time="{seconds:.3f}"'
    return f"{head}>{inside}</testcase>" if inside else f"{head}/>"
