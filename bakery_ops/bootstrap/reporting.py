"""`invoke report`: what earlier runs left in `runs/`, shown again or played again. Contacts no cluster."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from bakery_ops.bootstrap.session import REPOSITORY
from bakery_ops.errors import ExitCode, OperationFailed, UsageError
from bakery_ops.report import history, removals, schema, summary
from bakery_ops.report.deploys import document
from bakery_ops.report.formats import FORMATS
from bakery_ops.report.runs import EVENTS, tried
from bakery_ops.report.telling import destinations
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.next_step import Address
from bakery_ops.rules.reports import DeployReport, Run
from bakery_ops.rules.rollout.recording import replay as play
from bakery_ops.rules.rollout.result import result


def report(
    run: str | None,
    listing: bool,
    replay: bool,
    output: str | None,
    report_file: Sequence[str],
    root: Path | None = None,
) -> ExitCode:
    """Show one run's report, or list the runs. Raises UsageError where there is none; OperationFailed for a replay that
    ends otherwise than the run did."""
    terminal, root = Terminal(), root or REPOSITORY / "runs"
    wanted = destinations(report_file)
    if listing and output == "json":
        terminal.write(json.dumps(history.list_document(root), indent=1) + "\n")
        return ExitCode.OK
    if listing:
        history.show_list(terminal, root)
        return ExitCode.OK
    folder = history.find(root, run)
    told = history.summary(folder)
    if isinstance(told, schema.Removal):
        return _show_removal(told, terminal, output, ["replay"] if replay else [form for form, _ in wanted])
    shown = _played(folder, told, terminal) if replay else told
    if shown is None:
        raise UsageError(
            f"the run {folder.name} left no report: it was killed, or still runs",
            remedy=f"its events are in {folder / EVENTS}",
        )
    problems = [problem for form, path in wanted if (problem := tried(path, FORMATS[form], shown))]
    if output == "json":
        terminal.write(schema.encode(shown))
    else:
        summary.show(terminal, shown, [f"report: {folder}"])
    if problems:
        raise OperationFailed(problems[0], details=problems[1:])
    if replay and told is not None:
        _compare(told, shown, terminal)
    return ExitCode.OK


def _show_removal(report: schema.Removal, terminal: Terminal, output: str | None, asked: Sequence[str]) -> ExitCode:
    """`asked`: what only a deploy can give."""
    if asked:
        raise UsageError(
            f"the run {report.run} was a destroy, which has no {asked[0]}", remedy="--output json gives it whole"
        )
    if output == "json":
        terminal.write(schema.encode(report))
    else:
        removals.show_every(terminal, report)
    return ExitCode.OK


def _played(folder: Path, told: schema.Deploy | None, terminal: Terminal) -> schema.Deploy:
    """The report that the run's recording gives under today's rules."""
    began = time.monotonic()
    lines = list(history.recording(folder))
    try:
        rollout = play(lines)
        ended = result(rollout, requests=(told.requests or 0) if told else 0)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the recording of {folder.name} cannot be played to an end: {error}") from error
    terminal.say(f"played {len(lines) - 1} events of {folder.name} in {time.monotonic() - began:.1f} s")
    address = Address(told.context if told else "unknown")
    names = (told.profile, told.overlay) if told else ("unknown", "unknown")
    return document(DeployReport(rollout.plan, ended), Run(folder.name, *names, address, ended.seconds))


def _compare(told: schema.Deploy, played: schema.Deploy, terminal: Terminal) -> None:
    """Outcome, causes and verdicts. Only a rollout that succeeded is verified, whatever the checks then found."""
    before = _essence(told) | ({"outcome": "succeeded"} if told.checks else {})
    after = _essence(played)
    differing = [
        f"{name}: {before.get(name, '')!r} in the run, {after.get(name, '')!r} now"
        for name in before | after
        if before.get(name) != after.get(name)
    ]
    if differing:
        raise OperationFailed(
            "played again, the run ends otherwise than it did",
            details=differing[:20],
            remedy="the rules have changed since, or the recording has; compare with git log bakery_ops/rules",
        )
    terminal.say("same outcome, causes and verdicts as in the run")
    if failed := [check.name for check in told.checks if check.state == CheckState.FAILED.value]:
        terminal.say(f"in the run the verification found failures: {', '.join(failed)}; a replay has no checks")


def _essence(report: schema.Deploy) -> dict[str, str]:
    causes = "; ".join(cause.sentence for cause in report.causes)
    return {"outcome": report.outcome, "causes": causes, **{node.name: node.verdict for node in report.nodes}}
