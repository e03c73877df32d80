"""A destroy: what would go and what stays, and afterwards what became of each object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from bakery_ops.errors import BakeryError
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.report.deploys import stopped_outcome
from bakery_ops.report.schema import API_VERSION, Removal, RemovedObject
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules import removal as rules
from bakery_ops.rules.deletion import by_kind
from bakery_ops.rules.reports import Fate, RemovalReport, RemovalRun, Removed
from bakery_ops.rules.rollout.events import Outcome

_TROUBLE = (Fate.REFUSED, Fate.HANGING, Fate.UNKNOWN, Fate.SKIPPED)
_NAMED = 10  # objects that could not be removed, each with its reason; the report has them all


def show_removal(terminal: Terminal, decided: rules.Removal, run: RemovalRun, *, every: bool = False) -> None:
    """What a user agrees to, by kind; with `every` each object, in the order in which it goes."""
    terminal.show(f"namespace {run.namespace} in the context {run.context}:", style="bold")
    reasons: dict[str, list[ObjectRef]] = defaultdict(list)
    for step in sorted(decided.kept, key=lambda step: (step.kept, step.ref)):
        reasons[step.kept].append(step.ref)
    if every:
        for step in decided.doomed:
            terminal.show(f"  - {_spelled(step.ref)}", style="red")
        for why, refs in reasons.items():
            terminal.show(*(f"    {_spelled(ref)}  stays: {why}" for ref in refs))
    else:
        if decided.doomed:
            terminal.show(f"  goes   {by_kind(step.ref for step in decided.doomed)}", style="red")
        terminal.show(*(f"  stays  {by_kind(refs)}: {why}" for why, refs in reasons.items()))
    for note in decided.notes:
        terminal.show(f"note: {note}", style="yellow")
    gone = f", {len(decided.gone)} gone already" if decided.gone else ""
    named = "" if every or not (decided.doomed or decided.kept) else "; --list names each"
    terminal.show(f"{len(decided.doomed)} to remove, {len(decided.kept)} to keep{gone}{named}")


def show_result(terminal: Terminal, report: Removal, folder: str) -> None:
    """What could not be removed and why, then the counts, and where each object is named. `folder`: "" for none."""
    trouble = [row for row in report.objects if row.fate in _HURTS]
    for row in trouble[:_NAMED]:
        why = f": {row.why}" if row.why else ""
        terminal.show(f"{row.fate:<12} {row.object}{why}", style="bold red")
    if len(trouble) > _NAMED:
        terminal.show(f"and {len(trouble) - _NAMED} more, in the report", style="bold red")
    done = report.outcome == Outcome.SUCCEEDED.value
    terminal.show(report.headline, style="bold green" if done else "bold red")
    if not done:
        terminal.show("  next: run the same command again; it goes on from what is left")
    if folder:
        terminal.show(f"  every object: invoke report {report.run}   report: {folder}")


_HURTS = frozenset({Fate.REFUSED.value, Fate.HANGING.value, Fate.UNKNOWN.value})


def show_every(terminal: Terminal, report: Removal) -> None:
    """A destroy of the past, object by object."""
    for row in report.objects:
        why = f": {row.why}" if row.why else ""
        style = "bold red" if row.fate in _HURTS else ""
        terminal.show(f"{row.fate:<16} {row.object}{why}", style=style)
    for note in report.notes:
        terminal.show(f"note: {note}", style="yellow")
    done = report.outcome == Outcome.SUCCEEDED.value
    terminal.show(report.headline, style="bold green" if done else "bold red")


def plan_document(decided: rules.Removal, run: RemovalRun) -> dict[str, Any]:
    """What would go and what would stay, as JSON; `apiVersion` and `kind` name its shape."""
    return {
        "apiVersion": API_VERSION,
        "kind": "RemovalPlan",
        "profile": run.profile,
        "namespace": run.namespace,
        "context": run.context,
        "notes": list(decided.notes),
        "remove": [_spelled(step.ref) for step in decided.doomed],
        "keep": [{"object": _spelled(step.ref), "why": step.kept} for step in decided.kept],
    }


def document(report: RemovalReport, run: RemovalRun, seconds: float) -> Removal:
    """What became of every object. `seconds`: the whole command's."""
    removed, kept = len(report.of(Fate.REMOVED, Fate.GONE)), len(report.of(Fate.KEPT))
    counts = [f"{removed} removed", f"{kept} kept"]
    counts += [f"{count} {fate.value}" for fate in _TROUBLE if (count := len(report.of(fate)))]
    done = report.outcome is Outcome.SUCCEEDED
    head = "destroyed" if done else f"destroy {report.outcome.value}"
    headline = f"{head} after {seconds:.1f} s: {', '.join(counts)}"
    return _document(run, seconds, report.outcome.value, headline, report.notes, report.rows)


def stopped(error: BakeryError, run: RemovalRun, seconds: float) -> Removal:
    """The report of a destroy that an error or a signal ended before it came to anything."""
    return _document(run, seconds, stopped_outcome(error), str(error), error.details)


def _document(
    run: RemovalRun,
    seconds: float,
    outcome: str,
    headline: str,
    notes: Sequence[str],
    rows: Sequence[Removed] = (),
) -> Removal:
    return Removal(
        run=run.id,
        profile=run.profile,
        namespace=run.namespace,
        context=run.context,
        outcome=outcome,
        headline=headline,
        total_seconds=round(seconds, 3),
        notes=tuple(notes),
        objects=tuple(RemovedObject(object=_spelled(row.ref), fate=row.fate.value, why=row.why) for row in rows),
    )


def _spelled(ref: ObjectRef) -> str:
    return f"{ref} in {ref.namespace}" if ref.namespace else str(ref)
