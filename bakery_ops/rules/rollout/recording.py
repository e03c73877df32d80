"""A rollout as lines of JSON that play it again, exactly: how it began, and every event in its order.

The machine is deterministic, so graph, plan, options and events are all there is to a run. Times are in the events. No
secret byte is recorded: of Secrets only the names of their keys, of messages not the credentials in addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import Generic, LiveObject, struct_for
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import masked
from bakery_ops.model.words import without_credentials
from bakery_ops.rules.plan import Action, Plan, PruneStep, Step
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout import events as kinds
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import Event
from bakery_ops.rules.rollout.options import FailMode, Options
from bakery_ops.rules.rollout.state import Judge, Rollout
from bakery_ops.rules.verdict import Applied

Line = dict[str, Any]

_STARS = "Kioq"  # base64 of three: a value that is read as one again, and is not empty

_EVENTS: Mapping[str, type[Event]] = {
    name: value for name, value in vars(kinds).items() if isinstance(value, type) and issubclass(value, Event)
}


def begun(
    graph: Graph,
    plan: Plan,
    options: Options,
    at: float,
    *,
    facts: ClusterFacts | None,
    snapshot: Iterable[LiveObject],
    synced: Iterable[str],
) -> Line:
    """The first line: what `machine.begin` was given."""
    return {
        "type": "begin",
        "at": at,
        "options": {**options._asdict(), "fail_mode": options.fail_mode.value, "streamed": sorted(options.streamed)},
        "nodes": [_node(node) for node in graph.values()],
        "steps": [{**step._asdict(), "action": step.action.value} for step in plan.steps.values()],
        "orphans": [orphan._asdict() for orphan in plan.orphans],
        "facts": msgspec.to_builtins(facts or ClusterFacts()),
        "snapshot": [_live(live) for live in snapshot],
        "synced": sorted(synced),
    }


def happened(burst: Sequence[Event]) -> Iterator[Line]:
    """One line per event; `more` says that the next line came in the same burst and was judged together with it."""
    for position, event in enumerate(burst, start=1):
        fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
        yield {
            "type": "event",
            "event": type(event).__name__,
            "more": position < len(burst),
            **{
                name: _live(value) if isinstance(value, msgspec.Struct) else _told(name, msgspec.to_builtins(value))
                for name, value in fields.items()
            },
        }


def replay(lines: Iterable[Mapping[str, Any]], *, judge: Judge | None = None) -> Rollout:
    """Play a recording again, with today's rules; other lines between are skipped.

    Raises: ValueError: no beginning, or an event this version does not know.
    """
    found = iter(line for line in lines if line.get("type") in ("begin", "event"))
    first = next(found, None)
    if first is None or first["type"] != "begin":
        raise ValueError("the recording has no beginning")
    rollout, _ = machine.begin(
        Graph(_read_node(item) for item in first["nodes"]),
        _read_plan(first),
        _read_options(first["options"]),
        first["at"],
        facts=msgspec.convert(first["facts"], ClusterFacts),
        snapshot=[_read_live(item) for item in first["snapshot"]],
        synced=first["synced"],
        judge=judge,
    )
    for burst in _read_bursts(found):
        machine.steps(rollout, burst)
    return rollout


def _read_bursts(lines: Iterable[Mapping[str, Any]]) -> Iterator[list[Event]]:
    burst: list[Event] = []
    for line in lines:
        event_type = _EVENTS.get(line["event"])
        if event_type is None:
            raise ValueError(f"the recording has an event this version does not know: {line['event']}")
        fields = {name: line[name] for name in event_type.__dataclass_fields__ if name in line}
        lives = {name: _read_live(value) for name, value in fields.items() if name in ("object", "live") and value}
        plain = {name: value for name, value in fields.items() if name not in ("object", "live")}
        burst.append(_built(event_type, {**plain, **lives}))
        if not line["more"]:
            yield burst
            burst = []


def _built(event_type: type[Event], fields: dict[str, Any]) -> Event:
    if "ref" in fields:
        fields["ref"] = ObjectRef(*fields["ref"])
    if "applied" in fields:
        fields["applied"] = Applied(*fields["applied"])
    if "lines" in fields:
        fields["lines"] = tuple(fields["lines"])
    return event_type(**fields)


def _node(node: Node) -> Line:
    manifest = node.manifest
    return {
        "name": node.name,
        "ref": list(node.ref),
        "api_version": manifest.api_version,
        "source": manifest.source,
        "body": masked(manifest.body, _STARS),
        "stage": node.stage.value,
        "needs": sorted(node.needs),
        "after": sorted(node.after),
        "relies": sorted(node.relies),
        "waits": dict(node.waits),
    }


def _read_node(line: Mapping[str, Any]) -> Node:
    manifest = Manifest(ObjectRef(*line["ref"]), line["api_version"], line["body"], line["source"])
    needs, after, relies = (frozenset(line[edge]) for edge in ("needs", "after", "relies"))
    return Node(line["name"], manifest, Stage(line["stage"]), needs, after, relies, line["waits"])


def _read_plan(first: Mapping[str, Any]) -> Plan:
    steps = [Step(**{**item, "action": Action(item["action"])}) for item in first["steps"]]
    orphans = (PruneStep(ObjectRef(*item["ref"]), item["uid"], item["kept"]) for item in first["orphans"])
    return Plan({step.node: step for step in steps}, tuple(orphans))


def _read_options(line: Mapping[str, Any]) -> Options:
    return Options(**{**line, "fail_mode": FailMode(line["fail_mode"]), "streamed": frozenset(line["streamed"])})


def _live(live: Any) -> Line:
    body = masked(msgspec.to_builtins(live), _STARS)
    return {name: _told(name, value) for name, value in body.items()}


def _told(name: str, value: Any) -> Any:
    """`value` of the field `name`; where it is a message, or holds some, without the credentials in them."""
    if isinstance(value, dict):
        return {inner: _told(inner, each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_told(name, each) for each in value]
    return without_credentials(value) if name == "message" and isinstance(value, str) else value


def _read_live(body: Mapping[str, Any]) -> LiveObject:
    struct = struct_for(str(body.get("apiVersion", "")), str(body.get("kind", "")))
    try:
        return msgspec.convert(body, struct)
    except msgspec.ValidationError:
        return msgspec.convert(body, Generic)
