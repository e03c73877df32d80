"""The history of releases: a table for people, a document for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bakery_ops.report import events
from bakery_ops.report.schema import API_VERSION
from bakery_ops.report.terminal import Terminal
from bakery_ops.rules.history import Row
from bakery_ops.rules.releases import Known, Release

_SHOWN = 3  # images in a line; the document has all


def show_history(terminal: Terminal, rows: Sequence[Row], pending: Release | None, namespace: str) -> None:
    """Newest first, the live one marked; then what was begun since."""
    if not rows:
        terminal.show(f"no release is recorded in the namespace {namespace}")
    else:
        headings = ("release", "when", "by", "profile", "objects", "what changed")
        terminal.table(headings, [_cells(row) for row in rows], right=(4,))
    if pending is not None:
        terminal.show(f"not recorded: {errand(pending, can_go_back=bool(rows))}", style="yellow")


def errand(pending: Release, *, can_go_back: bool = True) -> str:
    """What was begun since the newest release, and how it goes on."""
    facts = pending.facts
    who = f"by {facts.get('by', 'unknown')} since {_when(pending)}"
    if number := facts.get("rollback"):
        return f"a rollback to release {number} {who}; invoke deploy.rollback --to {number} goes on with it"
    if only := facts.get("only"):
        return f"a deploy of {only} only, {who}; invoke deploy brings the rest"
    if facts.get("destroyed"):
        return f"destroyed by {facts.get('by', 'unknown')}, {_when(pending)}; invoke deploy brings it up again"
    back = ", deploy.rollback goes back" if can_go_back else ""
    return f"a deploy {who}, under way, failed or interrupted; invoke deploy --resume goes on{back}"


def live_number(known: Known) -> int | None:
    """The number of the release that is live; None where something was begun since, or none is recorded."""
    return None if known.pending is not None or known.newest is None else known.newest.number


def live_release(known: Known) -> str:
    """What is live, for people."""
    if known.pending is not None:
        return f"not recorded, but {errand(known.pending, can_go_back=known.newest is not None)}"
    if known.newest is None:
        return "none recorded"
    facts = known.newest.facts
    return f"{known.newest.number}, {_when(known.newest)}, by {facts.get('by', 'unknown')}"


def history_document(rows: Sequence[Row], pending: Release | None, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "ReleaseHistory",
        "namespace": namespace,
        "releases": [_entry(row) for row in rows],
        "unrecorded": None if pending is None else {"since": _iso(pending), **pending.facts},
    }


def show_nothing_to_do(terminal: Terminal, release: Release, output: str | None, at: float) -> None:
    """A rollback to what is live, in the form asked for. `at`: the API server's time."""
    sentence = f"release {release.number} is what is live: there is nothing to roll back"
    if output == "json":
        document = {"apiVersion": API_VERSION, "kind": "RollbackReport", "release": release.number}
        terminal.write(json.dumps({**document, "changes": [], "message": sentence}, indent=1) + "\n")
    elif output == "ndjson":
        terminal.write(events.line(_ended(sentence, at)))
    else:
        terminal.show(sentence, "  next: invoke verify looks whether it stands; invoke deploy.history shows the others")


def _ended(sentence: str, at: float) -> events.Reported:
    return events.Reported(
        at=at, outcome="succeeded", exit_code=0, headline=sentence, causes=(), failed_checks=(), report=""
    )


def _cells(row: Row) -> tuple[str, ...]:
    facts = row.release.facts
    objects = "damaged" if row.objects is None else str(row.objects)
    number = f"{row.release.number}{' (live)' if row.is_live else ''}"
    return number, _when(row.release), facts.get("by", ""), facts.get("profile", ""), objects, _changed(row)


def _changed(row: Row) -> str:
    number = row.release.rollback_to
    parts = [] if number is None else [f"rollback to {number}"]
    if row.changes is not None:
        counts = zip(("added", "removed", "changed"), map(len, row.changes), strict=True)
        parts.append(", ".join(f"{count} {word}" for word, count in counts if count))
        parts += row.images[:_SHOWN]
        parts += [f"and {len(row.images) - _SHOWN} more images"] if len(row.images) > _SHOWN else []
    return "; ".join(part for part in parts if part)


def _entry(row: Row) -> dict[str, Any]:
    changes = row.changes
    return {
        "number": row.release.number,
        "at": _iso(row.release),
        "live": row.is_live,
        "damaged": row.objects is None,
        "objects": row.objects,
        **{key: row.release.facts.get(key) for key in ("by", "profile", "overlay")},
        "rollbackTo": row.release.rollback_to,
        "changes": None
        if changes is None
        else {
            "added": [str(ref) for ref in changes.added],
            "removed": [str(ref) for ref in changes.removed],
            "changed": [str(ref) for ref in changes.changed],
            "images": list(row.images),
        },
    }


def _when(release: Release) -> str:
    return _iso(release).replace("T", " ").replace("Z", " UTC")


def _iso(release: Release) -> str:
    return datetime.fromtimestamp(release.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
