"""A destroy: what would go and what stays, and afterwards what became of each object."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from bakery_ops.model.manifest import ObjectRef
from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.removal import Removal
from bakery_ops.rules.reports import Fate, RemovalReport
from bakery_ops.rules.rollout.events import Outcome

_TROUBLE = (Fate.REFUSED, Fate.HANGING, Fate.UNKNOWN, Fate.SKIPPED)


def show_removal(terminal: Terminal, decided: Removal) -> None:
    """The list that a user agrees to: in the order in which it goes, then what stays and why."""
    for step in decided.doomed:
        terminal.show(f"  - {_spelled(step.ref)}", style="red")
    for why, steps in groupby(sorted(decided.kept, key=lambda step: (step.kept, step.ref)), key=lambda step: step.kept):
        for step in steps:
            terminal.show(f"    {_spelled(step.ref)}  stays: {why}")
    for note in decided.notes:
        terminal.show(f"note: {note}", style="yellow")
    gone = f", {len(decided.gone)} gone already" if decided.gone else ""
    terminal.show(f"{len(decided.doomed)} to remove, {len(decided.kept)} to keep{gone}")


def show_result(terminal: Terminal, report: RemovalReport) -> None:
    """What did not go as planned, then the counts."""
    for row in report.of(*_TROUBLE):
        why = f": {row.why}" if row.why else ""
        terminal.show(f"{row.fate.value:<12} {_spelled(row.ref)}{why}", style="bold red")
    removed, kept = len(report.of(Fate.REMOVED, Fate.GONE)), len(report.of(Fate.KEPT))
    counts = [f"{removed} removed", f"{kept} kept"]
    counts += [f"{count} {fate.value}" for fate in _TROUBLE if (count := len(report.of(fate)))]
    done = report.outcome is Outcome.SUCCEEDED
    head = "destroyed" if done else f"destroy {report.outcome.value}"
    terminal.show(
        f"{head} after {terminal.elapsed():.1f} s: {', '.join(counts)}", style="bold green" if done else "bold red"
    )
    if not done:
        terminal.show("  next: run the same command again; it goes on from what is left")


def removal_document(decided: Removal, report: RemovalReport | None, profile: str, context: str) -> dict[str, Any]:
    """The plan, or what became of it (`report`), as JSON; `apiVersion` and `kind` name its shape."""
    body: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "RemovalReport" if report else "RemovalPlan",
        "profile": profile,
        "context": context,
        "notes": list(decided.notes),
    }
    if report is None:
        body["remove"] = [_spelled(step.ref) for step in decided.doomed]
        body["keep"] = [{"object": _spelled(step.ref), "why": step.kept} for step in decided.kept]
        return body
    body["outcome"] = report.outcome.value
    body["objects"] = [{"object": _spelled(row.ref), "fate": row.fate.value, "why": row.why} for row in report.rows]
    return body


def _spelled(ref: ObjectRef) -> str:
    return f"{ref} in {ref.namespace}" if ref.namespace else str(ref)
