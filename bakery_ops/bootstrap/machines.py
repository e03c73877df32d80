"""`invoke colima.*` and `invoke doctor`: this machine, and what is on it."""

from __future__ import annotations

import sys
from contextlib import closing

from bakery_ops.bootstrap import clusters
from bakery_ops.bootstrap.session import resolve
from bakery_ops.errors import BakeryError, ExitCode
from bakery_ops.model.profile import Profile
from bakery_ops.options import Target
from bakery_ops.report.terminal import Terminal
from bakery_ops.sandbox.lifecycle import can_run_real
from bakery_ops.tools import process
from bakery_ops.tools.colima import in_gib
from bakery_ops.tools.host import read_host
from bakery_ops.workflows import colima, doctor


def colima_start(size: str) -> ExitCode:
    terminal = Terminal()
    report = colima.start(process, read_host(), size, terminal.say)
    machine = report.instance
    terminal.show(
        f"{machine.name}: {report.action}: {machine.cpus} CPUs, "
        f"{in_gib(machine.memory)} memory, {in_gib(machine.disk)} disk",
        f"  context: {report.context}   next: invoke deploy --profile dev",
    )
    terminal.show(*(f"  note: {note}" for note in report.notes))
    return ExitCode.OK


def colima_status() -> ExitCode:
    """Exit 0 when the machine runs with Kubernetes, 3 otherwise."""
    terminal = Terminal()
    report = colima.status(process)
    if report.instance is not None:
        machine = report.instance
        answers = "answers" if report.kubernetes else "does not answer"
        terminal.show(f"{machine.name}: {machine.status}; Kubernetes {answers}; context {report.context}")
    terminal.show(*report.notes)
    return ExitCode.OK if report.kubernetes else ExitCode.FAILED


def colima_stop() -> ExitCode:
    terminal = Terminal()
    terminal.show(colima.stop(process, terminal.say).sentence)
    return ExitCode.OK


def colima_delete(yes: bool) -> ExitCode:
    terminal = Terminal()
    terminal.show(colima.delete(process, lambda question: yes or _agreed(question), terminal.say).sentence)
    return ExitCode.OK


def doctor_report(target: Target) -> ExitCode:
    """Exit 4 when something that the profile needs is missing."""
    terminal = Terminal()
    chosen = resolve(target)
    findings = doctor.examine(chosen, process, read_host(), real_node_obstacles=can_run_real())
    findings.append(_cluster(chosen, target, terminal))
    for finding in findings:
        style = {"ok": "green", "missing": "bold red", "note": "yellow"}[finding.state]
        terminal.show(f"{finding.state:<8} {finding.what}", style=style)
        if finding.remedy:
            terminal.show(f"         next: {finding.remedy}")
    return ExitCode.PREFLIGHT if any(finding.state == "missing" for finding in findings) else ExitCode.OK


def _cluster(profile: Profile, target: Target, terminal: Terminal) -> doctor.Finding:
    """Which cluster the profile leads to; that there is none yet is no lack of this machine."""
    try:
        place = clusters.locate(profile, target, terminal, reads_only=True)
        connection = clusters.reach(place, profile, terminal.say)
    except BakeryError as error:
        return doctor.Finding("note", f"the cluster: {error}", error.remedy)
    with closing(connection):
        what = f"context {place.context}, Kubernetes {connection.version}, identity {connection.identity}"
        return doctor.Finding("ok", f"the cluster: {what}")


def _agreed(question: str) -> bool:
    """Only a person at a terminal can agree; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    print(f"{question} Type yes to go on: ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip().lower() == "yes"
