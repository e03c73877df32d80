"""The acceptance checks as lines: name, how it went, what was seen, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from bakery_ops.report.schema import API_VERSION, Check
from bakery_ops.report.terminal import Terminal
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
    return tuple(
        Check(
            name=check.name,
            state=check.state.value,
            message=check.message,
            evidence=check.evidence,
            remedy=check.remedy,
        )
        for check in report.results
    )


def verification_document(report: VerifyReport) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "VerifyReport",
        "passed": report.passed,
        "checks": [msgspec.to_builtins(check) for check in check_parts(report)],
    }
