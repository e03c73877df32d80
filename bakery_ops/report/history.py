"""Runs of the past, read back from `runs/`: which there are, their reports, their recordings."""

from __future__ import annotations

import difflib
import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bakery_ops.errors import UsageError
from bakery_ops.report import schema
from bakery_ops.report.runs import EVENTS, RECORDING, SUMMARY
from bakery_ops.report.terminal import Terminal, literal
from bakery_ops.rules.diagnosis import LATE

_SHOWN = 20
_CAUSE = 60  # characters of a cause in the list; the report has all of it


def known(root: Path) -> tuple[Path, ...]:
    """The folders of all runs, oldest first: their names begin with the time."""
    return tuple(sorted(path for path in root.iterdir() if (path / EVENTS).is_file())) if root.is_dir() else ()


def find(root: Path, name: str | None) -> Path:
    """The run of that name, or the last one. Raises UsageError when there is none."""
    runs = {path.name: path for path in known(root)}
    if not runs:
        raise UsageError(f"no run has left a report in {root} yet", remedy="./invoke deploy makes one")
    if name is None:
        return runs[max(runs)]
    if name not in runs:
        close = difflib.get_close_matches(name, runs, n=1, cutoff=0.3)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f"no run is called {literal(name)[:80]!r}", remedy=f"{hint}./invoke report --list shows them all"
        )
    return runs[name]


def summary(run: Path) -> schema.Deploy | schema.Removal | None:
    """The run's report; None when it left none (killed, or still running). Raises UsageError for a damaged file."""
    path = run / SUMMARY
    try:
        return schema.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise UsageError(f"{path} cannot be read: {error}", remedy="the run's other files may still help") from error


def recording(run: Path) -> Iterator[dict[str, Any]]:
    """The lines of the run's recording. The last one may have been cut by a kill; it is left out.

    Raises: UsageError: there is none, or it is damaged.
    """
    path = run / RECORDING
    packed = path.with_name(f"{RECORDING}.gz")
    try:
        text = path.read_bytes() if path.exists() else gzip.decompress(packed.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            f"the run {run.name} has no recording",
            remedy="only deploys that began a rollout have one; invoke report --list shows all runs",
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{packed} is damaged: {error}") from error
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.endswith(b"\n"):
            yield _object(line, f"{path.name} line {number} of the run {run.name}")


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{where} is damaged: it is no object")
    return found


def list_document(root: Path) -> dict[str, Any]:
    """The same for programs."""
    rows = [_row(run) for run in reversed(known(root)[-_SHOWN:])]
    runs = [
        {"run": run, "outcome": outcome, "seconds": float(took) if took else None, "where": where, "cause": cause}
        for run, outcome, took, where, cause in rows
    ]
    return {"apiVersion": schema.API_VERSION, "kind": "RunList", "runs": runs}


def show_list(terminal: Terminal, root: Path) -> None:
    """The last runs, newest first. A damaged report is a row too: the others must be found all the same."""
    rows = [_row(run) for run in reversed(known(root)[-_SHOWN:])]
    rows = [(*row[:-1], row[-1] if len(row[-1]) <= _CAUSE else f"{row[-1][: _CAUSE - 1]}…") for row in rows]
    terminal.table(("run", "outcome", "took s", "where", "first cause"), rows, right=(2,))


def _row(run: Path) -> tuple[str, str, str, str, str]:
    try:
        report = summary(run)
    except UsageError:
        return run.name, "damaged", "", "", ""
    if report is None:
        return run.name, "no report", "", "", "killed, or still running"
    if isinstance(report, schema.Removal):
        where, cause = f"{report.namespace} destroyed in {report.context}", ""
    else:
        where, cause = f"{report.profile} to {report.context}", _first_cause(report)
    return run.name, report.outcome, f"{report.total_seconds:.1f}", where, cause


def _first_cause(report: schema.Deploy) -> str:
    """What an interrupted run had on its way is none."""
    is_cut = report.outcome == "interrupted"
    return next((cause.sentence for cause in report.causes if not (is_cut and cause.state == LATE)), "")
