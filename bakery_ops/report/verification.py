"""The acceptance checks as lines: name, how it went, what was seen, and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from bakery_ops.model.times import format_time
from bakery_ops.model.words import amount
from bakery_ops.report.schema import API_VERSION, Check
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.acceptance import CheckResult
from bakery_ops.rules.reports import VerifyReport

_MARK = {"passed": "ok", "warning": "warn", "skipped": "skip", "failed": "FAIL"}
_STYLE = {"passed": "green", "warning": "yellow", "skipped": "dim", "failed": "bold red"}
_EVIDENCE = 8


def show_checks(terminal: Terminal, report: VerifyReport) -> None:
    show_parts(terminal, check_parts(report))


def show_parts(terminal: Terminal, checks: Iterable[Check]) -> None:
    for check in checks:
        terminal.show(
            f"{_MARK.get(check.state, '?'):<5} {check.name:<19} {check.message}", style=_STYLE.get(check.state, "")
        )
        for line in check.evidence[:_EVIDENCE]:
            terminal.show(f"        {line}")
        if len(check.evidence) > _EVIDENCE:
            terminal.show(f"        and {len(check.evidence) - _EVIDENCE} more")
        if check.remedy and check.state != "passed":
            terminal.show(f"        next: {check.remedy}")


def check_parts(report: VerifyReport) -> tuple[Check, ...]:
    """The checks as the deploy report holds them."""
    return tuple(map(_part, report.results))


def _part(check: CheckResult) -> Check:
    return Check(
        name=check.name,
        state=check.state.value,
        message=check.message,
        evidence=check.evidence,
        remedy=check.remedy,
    )


def verification_document(report: VerifyReport) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "VerifyReport",
        "passed": report.passed,
        "checks": [msgspec.to_builtins(check) for check in check_parts(report)],
    }


class Look(Protocol):
    """One look of `workflows.watching`: `report` is None when the API server did not answer."""

    @property
    def at(self) -> float: ...
    @property
    def report(self) -> VerifyReport | None: ...
    @property
    def changes(self) -> tuple[CheckResult, ...]: ...
    @property
    def trouble(self) -> str: ...


class WatchTeller:
    """Tells a watch: the first look whole, then a line for each check that stands otherwise, with the server's time.

    `as_json`: a line of JSON for each of these looks instead: the whole report, and its time as `at`.
    """

    def __init__(self, terminal: Terminal, seconds: float, *, as_json: bool) -> None:
        self._terminal, self._seconds, self._as_json = terminal, seconds, as_json
        self._told = 0

    def tell(self, seen: Look) -> None:
        self._told += 1
        if self._as_json:
            self._terminal.write(json.dumps(self._document(seen)) + "\n")
        elif self._told == 1 and seen.report is not None:
            show_checks(self._terminal, seen.report)
        else:
            self._lines(seen)
        if self._told == 1:
            self._terminal.say(
                f"watching for {self._seconds:.0f} s; a line at each change; Ctrl-C ends it with the last state"
            )

    def _lines(self, seen: Look) -> None:
        at = format_time(seen.at)
        if seen.report is None:
            self._terminal.show(f"{at}  ?     {seen.trouble}", style="bold red")
        elif not seen.changes:
            self._terminal.show(f"{at}  the API server answers again; nothing else has changed")
        for check in seen.changes:
            why = f": {check.evidence[0]}" if check.evidence and check.state.value != "passed" else ""
            more = f" and {len(check.evidence) - 1} more" if why and len(check.evidence) > 1 else ""
            mark = _MARK.get(check.state.value, "?")
            style = _STYLE.get(check.state.value, "")
            self._terminal.show(f"{at}  {mark:<5} {check.name:<19} {check.message}{why}{more}", style=style)

    def end(self, last: Look) -> None:
        standing = "no answer" if last.report is None else "passed" if last.report.passed else "failed"
        changes = amount(max(0, self._told - 1), "change")
        self._terminal.say(f"watched until {format_time(last.at)}: {changes}; the last look: {standing}")

    def _document(self, seen: Look) -> dict[str, Any]:
        head = {"at": format_time(seen.at)}
        if seen.report is None:
            return {"apiVersion": API_VERSION, "kind": "VerifyReport", **head, "passed": None, "trouble": seen.trouble}
        return {**verification_document(seen.report), **head}
