"""A plan, for people and as JSON: what a deploy would change, object by object, grouped by service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from bakery_ops.model.contract import NAME
from bakery_ops.model.manifest import Manifest
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.difference import Change
from bakery_ops.rules.plan import Action, Plan, Step

Item = tuple[Step, Manifest, Sequence[Change], str]
"""One object that would be written: its step, its manifest, the fields that change, why the server would refuse it."""

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
    unchanged = sum(step.action in (Action.SKIP, Action.DONE) for step in plan.steps.values())
    terminal.show(f"{counted(plan)}, {unchanged} unchanged; nothing was written")


def counted(plan: Plan) -> str:
    return f"{len(plan.changes)} to write, {len(plan.prune)} to prune"


def _service(item: Item) -> str:
    _step, manifest, _changes, _refusal = item
    return manifest.labels.get(NAME) or manifest.ref.namespace or "cluster"


def _sign(step: Step) -> str:
    return "+" if not step.uid else _SIGN[step.action]


def _show_object(terminal: Terminal, item: Item) -> None:
    step, manifest, changes, refusal = item
    sign = _sign(step)
    terminal.show(f"  {sign} {manifest.ref}  ({step.reason})", style=_STYLE[sign])
    for change in changes:
        terminal.show(f"      {_field(change)}")
    if refusal:
        terminal.show(f"      the API server would refuse it: {refusal}", style="bold red")


def _field(change: Change) -> str:
    if not change.before:
        return f"{change.path}: + {change.after}"
    if not change.after:
        return f"{change.path}: - {change.before}"
    return f"{change.path}: {change.before} -> {change.after}"


def plan_document(plan: Plan, items: Iterable[Item], profile: str, context: str) -> dict[str, Any]:
    """The plan as JSON; `apiVersion` and `kind` name its shape."""
    return {
        "apiVersion": "bakery-ia.dev/v1",
        "kind": "DeployPlan",
        "profile": profile,
        "context": context,
        "changes": [
            {
                "node": step.node,
                "object": str(manifest.ref),
                "action": "create" if not step.uid else step.action.value,
                "reason": step.reason,
                "fields": [change._asdict() for change in changes],
                "refusal": refusal,
            }
            for step, manifest, changes, refusal in items
        ],
        "prune": [{"object": str(orphan.ref), "kept": orphan.kept} for orphan in plan.orphans],
    }
