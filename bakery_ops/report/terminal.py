"""Where output goes and how it may look: results on stdout, progress on stderr, colour and animation decided apart."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import IO, Any, TextIO, TypeVar, cast

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_T = TypeVar("_T")

_GAP = 2  # between two columns of a table
LONGEST = 4096  # characters of one line that are shown


def is_animated(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether a live view may redraw: a terminal that is neither CI nor dumb."""
    return stream.isatty() and not environment.get("CI") and environment.get("TERM") != "dumb"


class _Outlet:
    """A stream whose failed write is a broken pipe, whatever the reason: rich knows no other way to lose a reader, and
    a full disk must not end a deploy either."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._tried(lambda: self._stream.write(text))

    def flush(self) -> None:
        self._tried(self._stream.flush)

    def _tried(self, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise BrokenPipeError(error.errno, error.strerror) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Console(Console):
    """rich ends the whole program when the reader of its output goes away. Here the reader is no longer written to,
    and whether the program goes on is the caller's to say: a deploy must (docs/faults.md, F47)."""

    outlives_reader = False

    def on_broken_pipe(self) -> None:
        """Called while the error is being handled."""
        lost = sys.exception()
        self.quiet = True
        # Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
        if not self.outlives_reader:
            raise
        if isinstance(lost, OSError) and lost.errno not in (None, errno.EPIPE):
            with suppress(OSError):
                print(f"nothing more is written here: {lost.strerror}", file=sys.stderr, flush=True)  # noqa: T201


def console(stream: TextIO, environment: Mapping[str, str]) -> _Console:
    """A console that takes NO_COLOR before FORCE_COLOR before what the stream is, and never reads markup in text."""
    plain = bool(environment.get("NO_COLOR"))
    forced = True if environment.get("FORCE_COLOR") and not plain else None
    # Off a terminal lines are never wrapped: a log is grepped line by line.
    width = None if stream.isatty() else 10_000
    if isinstance(stream, TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")  # a character the locale lacks is no reason to stop
    return _Console(
        file=cast("IO[str]", _Outlet(stream)),
        _environ=environment,
        no_color=plain,
        force_terminal=forced,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=not stream.isatty(),
    )


def literal(text: str) -> str:
    """Text from a cluster with every control byte made visible: ESC, C1, carriage returns cannot steer the terminal."""
    return "".join(
        character if character == "\t" or character.isprintable() else f"\\x{ord(character):02x}" for character in text
    )


class Terminal:
    """The two streams of one run.

    `say` gives one progress line with the elapsed time, on stderr. `show` gives a result, on stdout.

    Args:
        environment: COLUMNS, LINES, NO_COLOR and their like; the process's own where it is None.
        out, err: The two streams; the process's own, as they are at this moment, where they are None.
        outlives_reader: Go on when the reader of stdout or stderr goes away, instead of ending in BrokenPipeError.
        guard: Rewrites each line of text before it is printed; `literal` makes control bytes visible.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        out: TextIO | None = None,
        err: TextIO | None = None,
        outlives_reader: bool = False,
        guard: Callable[[str], str] = literal,
    ) -> None:
        known = os.environ if environment is None else environment
        err = err or sys.stderr
        self.out = console(out or sys.stdout, known)
        self.err = console(err, known)
        self.out.outlives_reader = self.err.outlives_reader = outlives_reader
        self.animated = is_animated(err, known)
        self._guard = guard
        self._started = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since this terminal was made: since the command began."""
        return time.monotonic() - self._started

    def say(self, line: str) -> None:
        stamp = Text(f"{self.elapsed():6.1f}s  ", style="dim")
        self.err.print(stamp + Text(self._shown(line)))

    def show(self, *lines: str, style: str = "") -> None:
        for line in lines:
            # Left to the terminal to wrap: a command that we broke into lines could not be copied.
            self.out.print(Text(self._shown(line), style=style), soft_wrap=True)

    def _shown(self, line: str) -> str:
        """Nobody reads the megabyte an API server may answer with; the reports in files have all of it (B58)."""
        more = len(line) - LONGEST
        return self._guard(line if more <= 0 else f"{line[:LONGEST]}… and {more} more characters")

    def write(self, text: str) -> None:
        """A document on stdout, as it is and at once; the caller has escaped what is in it."""
        try:
            self.out.file.write(text)
            self.out.file.flush()
        except BrokenPipeError:
            self.out.on_broken_pipe()

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> None:
        """A plain table on stdout; `right` are the columns of numbers."""
        table = Table(box=None, padding=(0, _GAP // 2), pad_edge=False, show_edge=False, header_style="bold")
        needed = -_GAP
        cells = [[self._guard(cell) for cell in row] for row in rows]
        for position, heading in enumerate(headings):
            # On a screen too narrow for every word the terminal wraps the rows: rich would squeeze columns until
            # nothing is left of them, and those are the numbers.
            texts = (heading, *(row[position] for row in cells))
            words = texts if position == 0 else [word for text in texts for word in text.split()]
            least = max(map(cell_len, words), default=0)
            needed += least + _GAP
            alignment = "right" if position in right else "left"
            table.add_column(heading, justify=alignment, no_wrap=position == 0, min_width=least)  # type: ignore[arg-type]
        for row in cells:
            table.add_row(*map(Text, row))
        # A table needs a width of its own even where lines are never wrapped.
        width = self.out.width if self.out.is_terminal else 160
        table.width = needed if needed > width else None
        self.out.print(table, soft_wrap=False, crop=False, width=width)
