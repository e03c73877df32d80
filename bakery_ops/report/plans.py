"""A plan, for people and as JSON: what a deploy would change, object by object, grouped by service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from bakery_ops.model.contract import NAME
from bakery_ops.model.manifest import Manifest
from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.difference import Change
from bakery_ops.rules.plan import Action, Plan, Step


class Item(NamedTuple):
    """One object that would be written: what changes in it, why the server would refuse it, whose fields it takes."""

    step: Step
    manifest: Manifest
    changes: Sequence[Change]
    refusal: str = ""
    conflict: str = ""


_SIGN = {Action.APPLY: "~", Action.REPLACE_JOB: "±", Action.RECREATE: "±"}
_STYLE = {"+": "green", "~": "yellow", "±": "yellow", "-": "red"}


def show_plan(terminal: Terminal, plan: Plan, items: Sequence[Item]) -> None:
    """One line an object, one line a field; nothing is cut but long values."""
    for service, members in groupby(sorted(items, key=_service), key=_service):
        terminal.show(service, style="bold")
        for item in members:
            _show_object(terminal, item)
    for orphan in plan.orphans:
        what = f"(kept: {orphan.kept})" if orphan.kept else "(the render lost it)"
        terminal.show(f"  - {orphan.ref}  {what}", style=_STYLE["-"])
    terminal.show(headline(plan))


def headline(plan: Plan) -> str:
    """What a run that only looked came to."""
    unchanged = sum(step.action in (Action.SKIP, Action.DONE) for step in plan.steps.values())
    return f"{len(plan.changes)} to write, {len(plan.prune)} to prune, {unchanged} unchanged; nothing was written"


def _service(item: Item) -> str:
    return item.manifest.labels.get(NAME) or item.manifest.ref.namespace or "cluster"


def _sign(step: Step) -> str:
    return "+" if not step.uid else _SIGN[step.action]


def _show_object(terminal: Terminal, item: Item) -> None:
    sign = _sign(item.step)
    terminal.show(f"  {sign} {item.manifest.ref}  ({item.step.reason})", style=_STYLE[sign])
    for change in item.changes:
        terminal.show(f"      {_field(change)}")
    if item.conflict:
        terminal.show(f"      needs --force-conflicts: {item.conflict}", style="yellow")
    if item.refusal:
        terminal.show(f"      the API server would refuse it: {item.refusal}", style="bold red")


def _field(change: Change) -> str:
    if not change.before:
        return f"{change.path}: + {change.after}"
    if not change.after:
        return f"{change.path}: - {change.before}"
    return f"{change.path}: {change.before} -> {change.after}"


def plan_document(plan: Plan, items: Iterable[Item], profile: str, context: str) -> dict[str, Any]:
    """The plan as JSON; `apiVersion` and `kind` name its shape."""
    return {
        "apiVersion": API_VERSION,
        "kind": "DeployPlan",
        "profile": profile,
        "context": context,
        "changes": [
            {
                "node": item.step.node,
                "object": str(item.manifest.ref),
                "action": "create" if not item.step.uid else item.step.action.value,
                "reason": item.step.reason,
                "fields": [change._asdict() for change in item.changes],
                "refusal": item.refusal,
                "conflict": item.conflict,
            }
            for item in items
        ],
        "prune": [{"object": str(orphan.ref), "kept": orphan.kept} for orphan in plan.orphans],
    }
