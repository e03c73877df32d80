"""YAML text to plain values as Kubernetes reads it, with every mistake found in one pass and named by line and column.

libyaml parses to events; the values are built here, because PyYAML's own constructor resolves words by other rules,
keeps the last of two equal keys in silence, and has no bound on what an alias may unfold to.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import yaml

from bakery_ops.errors import UsageError
from bakery_ops.model import scalars

MAX_DEPTH = 200
MAX_UNFOLDED = 100_000
"""Values that aliases of one document may add to it: far beyond any real use, far below what would hurt."""

_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_MARKS = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\xef\xbb\xbf", "UTF-8 with a byte order mark"),
)
_TAG = "tag:yaml.org,2002:"
_MERGE = object()
_TAGGED: dict[str, Any] = {"int": int, "float": (int, float), "bool": bool, "null": type(None)}


class Document(NamedTuple):
    """One document: its value and the line (from 1) its first word stands on."""

    value: Any
    line: int


class Problem(NamedTuple):
    """A mistake and where it stands; line and column count from 1."""

    line: int
    column: int
    text: str


@dataclass
class Reading:
    """What one text held."""

    documents: list[Document] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def decode(data: bytes, source: str) -> str:
    """The text of a file. Raises UsageError with the byte offset for anything but UTF-8 without a byte order mark."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            remedy = "save it as UTF-8 without a byte order mark"
            raise UsageError(f"{source}: byte 0: the file is {encoding}", remedy=remedy)
    if b"\0" in data:
        raise UsageError(f"{source}: byte {data.index(0)}: a NUL byte", remedy="is this a text file, saved as UTF-8?")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: byte {error.start}: not UTF-8", remedy="save the file as UTF-8") from None


def require_syntax(text: str) -> None:
    """Raises yaml.YAMLError at the first thing in `text` that is no YAML, or is nested deeper than any manifest.

    The depth is looked at on the way: libyaml's time grows with its square.
    """
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _Mistake(_TOO_DEEP, event.start_mark)


def read(text: str) -> Reading:
    """Read all documents of `text`; a document with a mistake is left out. Nothing is raised."""
    reading = Reading()
    position, line = 0, 0
    while position < len(text):
        try:
            for document in _Builder(text[position:], line, reading.problems).documents():
                reading.documents.append(document)
            return reading
        except yaml.YAMLError as error:
            at, problem = _explain(error, text[position:])
            reading.problems.append(Problem(line + at[0] + 1, at[1] + 1, problem))
            # What follows a broken document is read too, so that one run shows every mistake.
            failed_at = max(position + 1, _offset(text, position, at[0]))
            separator = _SEPARATOR.search(text, failed_at)
            if separator is None:
                return reading
            line += text.count("\n", position, separator.start())
            position = separator.start()
    return reading


def _explain(error: yaml.YAMLError, text: str) -> tuple[tuple[int, int], str]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return (mark.line, mark.column), str(getattr(error, "problem", None) or getattr(error, "context", error))
    # The reader knows only a byte offset and the character it will not take.
    before = text.encode("utf-8", "surrogatepass")[: getattr(error, "position", 0)].decode("utf-8", "replace")
    line = before.count("\n")
    return (line, len(before) - before.rfind("\n") - 1), f"{getattr(error, 'reason', 'unreadable')}"


def _offset(text: str, start: int, lines: int) -> int:
    """The offset in `text` of the line `lines` below the one at `start`."""
    for _ in range(lines):
        found = text.find("\n", start)
        if found < 0:
            return len(text)
        start = found + 1
    return start


class _Mistake(yaml.MarkedYAMLError):
    """Something libyaml accepts and Kubernetes does not; ends the document like a syntax error."""

    def __init__(self, problem: str, mark: Any) -> None:
        super().__init__(problem=problem, problem_mark=mark)


class _Frame:
    """A collection under construction. `written`: the keys a mapping has so far; None for a sequence."""

    __slots__ = ("anchor", "before", "container", "key", "written")

    def __init__(self, container: Any, written: set[str] | None, anchor: str | None, before: int) -> None:
        self.container = container
        self.written = written
        self.key: Any = None
        self.anchor = anchor
        self.before = before


class _Builder:
    """Turns libyaml's events into values, one document at a time."""

    def __init__(self, text: str, first_line: int, problems: list[Problem]) -> None:
        self._parser = yaml.CSafeLoader(text)
        self._first_line = first_line
        self._problems = problems
        self._plain: dict[str, scalars.Scalar] = {}

    def documents(self) -> Iterator[Document]:
        next_event = self._parser.get_event
        while True:
            event = next_event()
            if type(event) is yaml.DocumentStartEvent:
                found = len(self._problems)
                value, line = self._document(next_event)
                if len(self._problems) == found:
                    yield Document(value, self._first_line + line + 1)
            elif type(event) is yaml.StreamEndEvent:
                return

    def _document(self, next_event: Any) -> tuple[Any, int]:
        root: list[Any] = []
        frames = [_Frame(root, None, None, 0)]
        anchors: dict[str, tuple[Any, int]] = {}
        count = unfolded = first_line = 0
        while True:
            event = next_event()
            kind = type(event)
            if not count:
                first_line = event.start_mark.line
            count += 1
            if kind is yaml.ScalarEvent:
                value = self._scalar(event, frames[-1])
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                mapping = kind is yaml.MappingStartEvent
                if len(frames) > MAX_DEPTH:
                    raise _Mistake(_TOO_DEEP, event.start_mark)
                frames.append(_Frame({} if mapping else [], set() if mapping else None, event.anchor, count))
                continue
            elif kind is yaml.AliasEvent:
                if event.anchor not in anchors:
                    raise _Mistake(f"alias *{event.anchor} has no value yet", event.start_mark)
                value, size = anchors[event.anchor]
                count += size
                unfolded += size
                if unfolded > MAX_UNFOLDED:
                    raise _Mistake(f"aliases unfold to more than {MAX_UNFOLDED} values", event.start_mark)
            elif kind is yaml.DocumentEndEvent:
                return root[0], first_line
            else:
                frame = frames.pop()
                value = frame.container
                if frame.anchor is not None:
                    anchors[frame.anchor] = (value, count - frame.before + 1)
            self._add(frames[-1], value, event)

    def _add(self, frame: _Frame, value: Any, event: yaml.Event) -> None:
        if frame.written is None:
            frame.container.append(value)
        elif frame.key is None:
            frame.key = value if value is _MERGE else self._key(frame, value, event)
        elif frame.key is _MERGE:
            self._merge(frame, value, event)
            frame.key = None
        else:
            frame.container[frame.key] = value
            frame.key = None

    def _key(self, frame: _Frame, value: Any, event: yaml.Event) -> str:
        if value.__class__ is not str:
            text = None if isinstance(value, (dict, list)) else scalars.key(value)
            if text is None:
                raise _Mistake("this cannot be the key of a mapping", event.start_mark)
            value = text
        written = cast("set[str]", frame.written)
        if value in written:
            mark: Any = event.start_mark
            problem = f"duplicate key {value[:80]!r}"
            self._problems.append(Problem(self._first_line + mark.line + 1, mark.column + 1, problem))
        written.add(value)
        return cast(str, value)

    def _merge(self, frame: _Frame, value: Any, event: yaml.Event) -> None:
        parts = value if isinstance(value, list) else [value]
        for part in reversed(parts):
            if not isinstance(part, dict):
                raise _Mistake("<< merges a mapping or a list of mappings", event.start_mark)
            frame.container.update(part)

    def _scalar(self, event: yaml.ScalarEvent, frame: _Frame) -> Any:
        text: str = event.value
        tag: str | None = event.tag
        if tag is not None and tag.startswith(_TAG):
            return self._tagged(text, tag[len(_TAG) :], event)
        if event.style or tag is not None:
            return text
        if text == "<<" and frame.written is not None and frame.key is None:
            return _MERGE
        known = self._plain
        if text in known:
            return known[text]
        value = known[text] = scalars.plain(text)
        if isinstance(value, float) and not math.isfinite(value) and (frame.written is None or frame.key is not None):
            del known[text]
            raise _Mistake(f"{text} cannot be written as JSON", event.start_mark)
        return value

    def _tagged(self, text: str, tag: str, event: yaml.ScalarEvent) -> Any:
        value = scalars.plain(text)
        if tag == "binary":
            try:
                return base64.b64decode(text, validate=False).decode("utf-8", "replace")
            except binascii.Error:
                raise _Mistake("!!binary is not base64", event.start_mark) from None
        if tag == "merge":
            return _MERGE
        wanted = _TAGGED.get(tag)
        if wanted is None:
            return text
        if not isinstance(value, wanted) or (tag in ("int", "float") and isinstance(value, bool)):
            raise _Mistake(f"the value is not a !!{tag}", event.start_mark)
        return value
