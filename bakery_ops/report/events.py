"""What happened in a deploy, a line of JSON each, as it happens: events.ndjson, and `--output ndjson` on stdout.

docs/schemas/deploy-event.json is made from these types, and a test holds it to them. Every line names its `schema` and
its `type`; fields are only ever added within one schema. `at` is the API server's time in epoch seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

SCHEMA = "bakery-ia.dev/deploy-event/v1"


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", rename="camel"):
    schema: str = SCHEMA


class Begun(Line, frozen=True, kw_only=True, tag="begun"):
    """The first line: which run, and where it goes."""

    at: float
    run: str
    profile: str
    context: str


class Verdict(Line, frozen=True, kw_only=True, tag="verdict"):
    """A node stands otherwise than before. `before` is null the first time."""

    at: float
    node: str
    kind: str
    stage: str
    before: str | None = msgspec.field(name="from")
    after: str = msgspec.field(name="to")
    message: str


class Command(Line, frozen=True, kw_only=True, tag="command"):
    """Something is being done: Apply, ReplaceJob, SuspendJob, Prune, ReadObjects, FetchLog, WriteJournal.

    `arguments` are its own, all as text.
    """

    at: float
    command: str
    arguments: dict[str, str]


class Finished(Line, frozen=True, kw_only=True, tag="finished"):
    """The rollout ended; the verification of a success is still to come."""

    at: float
    outcome: str


class Reported(Line, frozen=True, kw_only=True, tag="reported"):
    """The last line: how the whole deploy ended. `report`: the folder with the report's other forms."""

    at: float
    outcome: str
    exit_code: int
    headline: str
    causes: tuple[str, ...]
    failed_checks: tuple[str, ...]
    report: str


AnyLine = Begun | Verdict | Command | Finished | Reported
_OWN = frozenset({"type", "at", "command"})


def told(fact: Mapping[str, Any]) -> Line:
    """The line for a fact of `workflows.rollout_scribe`. Raises ValueError for one that it does not tell."""
    if fact.get("type") == "command":
        arguments = {name: str(value) for name, value in fact.items() if name not in _OWN}
        return Command(at=fact["at"], command=fact["command"], arguments=arguments)
    return msgspec.convert(fact, Verdict | Finished)


def line(event: Line) -> str:
    """One line of ASCII, whatever is in it."""
    return json.dumps(msgspec.to_builtins(event), separators=(",", ":")) + "\n"
