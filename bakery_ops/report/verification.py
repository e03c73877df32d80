"""The acceptance checks as lines: name, how it went, what was seen, and what to do."""

from __future__ import annotations

from typing import Any

from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.reports import VerifyReport

_MARK = {CheckState.PASSED: "ok", CheckState.WARNING: "warn", CheckState.SKIPPED: "skip", CheckState.FAILED: "FAIL"}
_STYLE = {
    CheckState.PASSED: "green",
    CheckState.WARNING: "yellow",
    CheckState.SKIPPED: "dim",
    CheckState.FAILED: "bold red",
}
_EVIDENCE = 8


def show_checks(terminal: Terminal, report: VerifyReport) -> None:
    for check in report.results:
        terminal.show(f"{_MARK[check.state]:<5} {check.name:<19} {check.message}", style=_STYLE[check.state])
        for line in check.evidence[:_EVIDENCE]:
            terminal.show(f"        {line}")
        if len(check.evidence) > _EVIDENCE:
            terminal.show(f"        and {len(check.evidence) - _EVIDENCE} more")
        if check.remedy and check.state is not CheckState.PASSED:
            terminal.show(f"        next: {check.remedy}")


def verification_document(report: VerifyReport) -> dict[str, Any]:
    return {
        "apiVersion": "bakery-ia.dev/v1",
        "kind": "VerifyReport",
        "passed": report.passed,
        "checks": [
            {
                "name": check.name,
                "state": check.state.value,
                "message": check.message,
                "evidence": list(check.evidence),
                "remedy": check.remedy,
            }
            for check in report.results
        ],
    }
