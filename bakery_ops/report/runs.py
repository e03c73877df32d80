"""What a run leaves behind: `runs/<id>/` with its events and recording as they happen, and its report at the end."""

from __future__ import annotations

import gzip
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from bakery_ops.errors import PreflightRefused
from bakery_ops.report import events, schema
from bakery_ops.report.formats import FORMATS, Format

KEEP = 50  # finished runs; older ones are removed when a new one begins
EVENTS, SUMMARY, RECORDING = "events.ndjson", "summary.json", "recording.ndjson"
REPORTS: Mapping[str, Format] = {
    SUMMARY: FORMATS["json"],
    "report.html": FORMATS["html"],
    "timeline.svg": FORMATS["svg"],
}
_Report = TypeVar("_Report")
_LARGE = 256 * 1024  # bytes; a recording above that is compressed


def new_id() -> str:
    """A name for a run that begins now: names sort by time."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


class RunFolder:
    """The folder of one run. Lines are appended as they happen, so that a killed run leaves what it saw.

    A disk that fills up once the deploy has begun must not end it: the first line that cannot be written ends its file.
    """

    def __init__(self, root: Path, run_id: str) -> None:
        """Make `root/run_id`. Raises PreflightRefused when the disk is full or read-only: nothing was changed yet."""
        self.path = root / run_id
        try:
            self.path.mkdir(parents=True)
            # Unbuffered: whoever follows the file, or comes after a kill, finds every event.
            self._events = _Lines((self.path / EVENTS).open("ab", buffering=0))
            self._recording = _Lines((self.path / RECORDING).open("ab"))
            write_whole(self.path / ".writable", "-" * 4096)
            (self.path / ".writable").unlink()
        except OSError as error:
            raise PreflightRefused(
                f"cannot write the run's report to {self.path}: {error.strerror}",
                remedy="free space, or make the folder writable",
            ) from error
        _forget_old(root)

    def event(self, line: events.Line) -> None:
        self._events.write(events.line(line).encode())

    def record(self, line: Mapping[str, Any]) -> None:
        """One line of a recording (`rules.rollout.recording`)."""
        self._recording.write(json.dumps(line, default=str, separators=(",", ":")).encode() + b"\n")

    def keep(self, report: schema.Deploy) -> list[str]:
        """Write the report in every form of `REPORTS`. Returns what could not be written, and why."""
        return [problem for name, form in REPORTS.items() if (problem := tried(self.path / name, form, report))]

    def keep_removal(self, report: schema.Removal) -> list[str]:
        """The same for a destroy, which has no timeline to draw."""
        problem = tried(self.path / SUMMARY, schema.encode, report)
        return [problem] if problem else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._events.close()
        self._recording.close()
        _compress(self.path / RECORDING)


def folder_or_none(root: Path, run_id: str, say: Callable[[str], None]) -> RunFolder | None:
    """The folder of a run that must go on without one too: who destroys may do so because the disk is full."""
    try:
        return RunFolder(root, run_id)
    except PreflightRefused as error:
        say(f"{error}; going on without a report")
        return None


class _Lines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, line: bytes) -> None:
        self._unless_full(lambda: self._file.write(line))

    def close(self) -> None:
        self._unless_full(self._file.close)

    def _unless_full(self, act: Callable[[], object]) -> None:
        if self._file.closed:
            return
        try:
            act()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        try:
            self._file.close()
        except OSError:
            return  # what it still held back cannot be written either; the descriptor is closed all the same


def tried(path: Path, form: Callable[[_Report], str], report: _Report) -> str:
    """Write one report; "" or why it could not be written."""
    try:
        write_whole(path, form(report))
    except OSError as error:
        return f"{path} was not written: {error.strerror}"
    return ""


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part: temporary file, fsync, rename.

    A link stays one, and so does what is no file but a way to somebody: a terminal, a pipe, our own output.
    """
    if (way := _way(path)) is not None:
        with open(way, "a", encoding="utf-8", closefd=way is path) as stream:
            stream.write(text)
        return
    path = Path(os.path.realpath(path))
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o644)  # a temporary file is its owner's alone
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _way(path: Path) -> Path | int | None:
    """What to write to where `path` leads to somebody: our own output (its descriptor), a device, a pipe."""
    try:
        found = path.stat()
    except OSError:
        return None
    for own in (1, 2):
        with suppress(OSError):  # it may be closed
            if os.path.samestat(found, os.fstat(own)):
                return own
    return None if stat.S_ISREG(found.st_mode) else path


def _compress(path: Path) -> None:
    """Replace a large recording by its gzip, and leave no empty one. It stays as it is where there is no room."""
    packed = path.with_name(f"{path.name}.gz")
    partial = packed.with_name(f".{packed.name}.part")  # killed here, the run still has the whole one
    try:
        size = path.stat().st_size
        if not size:
            path.unlink()  # nothing was rolled out
        if size <= _LARGE:
            return
        with path.open("rb") as source, gzip.open(partial, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target)
        partial.replace(packed)
        path.unlink()
    except OSError:
        partial.unlink(missing_ok=True)


def _forget_old(root: Path) -> None:
    """Remove the oldest finished runs. One without a summary may still be running, here or beside us: it stays."""
    finished = sorted(path for path in root.iterdir() if (path / SUMMARY).exists())
    for old in finished[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
