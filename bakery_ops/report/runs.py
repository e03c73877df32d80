"""What a run leaves behind: `runs/<id>/` with events.ndjson, summary.json and whatever --report-file asked for."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bakery_ops.errors import PreflightRefused

KEEP = 50  # finished runs; older ones are removed when a new one begins


class RunFolder:
    """The folder of one run. Events are appended as they happen, so that a killed run leaves what it saw."""

    def __init__(self, root: Path, run_id: str) -> None:
        """Make `root/run_id`. Raises PreflightRefused when the disk is full or read-only: nothing was changed yet."""
        self.path = root / run_id
        try:
            self.path.mkdir(parents=True)
            self._events = (self.path / "events.ndjson").open("a", encoding="utf-8", buffering=1)
            self._events.write("")
        except OSError as error:
            raise PreflightRefused(
                f"cannot write the run's report to {self.path}: {error.strerror}",
                remedy="free space, or make the folder writable",
            ) from error
        _forget_old(root)

    def event(self, fields: Mapping[str, Any]) -> None:
        """Append one event. A disk that fills up later must not end the deploy: the event is dropped."""
        try:
            self._events.write(json.dumps(fields, default=str, separators=(",", ":")) + "\n")
        except (OSError, ValueError):
            return

    def summary(self, document: Mapping[str, Any]) -> None:
        write_whole(self.path / "summary.json", json.dumps(document, indent=1, default=str) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._events.close()


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part: temporary file, fsync, rename."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _forget_old(root: Path) -> None:
    """Remove the oldest finished runs. One without a summary may still be running, here or beside us: it stays."""
    finished = sorted(path for path in root.iterdir() if (path / "summary.json").exists())
    for old in finished[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
