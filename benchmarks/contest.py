"""One row: every tool on the same set, in turns, seen from its process and from the server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import audit, workloads
from benchmarks.contestants import Contestant, Stage
from benchmarks.ground import Ground
from benchmarks.measure import TIMED_OUT, Run, run, spread, turns
from benchmarks.workloads import Workload

SLOW = 45.0  # seconds: a tool that needs longer is measured once in a row, or the table would take hours
PATIENCE = 240.0


class Seen(NamedTuple):
    """One run as its process showed it and as the server noted it.

    Attributes:
        applied: Seconds until the last object was accepted; None when nothing was written.
        notice: Seconds from the server's last "available" to the tool's end, without the time it looks on on purpose;
            None where the tool does not wait, or gave up.
        verdict: The same until the tool's own last "ready"; for most that is its end.
        net: Wall seconds without the time it looks on.
    """

    run: Run
    net: float
    requests: int
    writes: int
    applied: float | None = None
    notice: float | None = None
    verdict: float | None = None


class Match(NamedTuple):
    """Where and how often: the row, the cluster, the tools' way to it, objects of each kind, and runs of each tool.

    `patience`: seconds after which a run is ended.
    """

    row: str
    ground: Ground
    stage: Stage
    round_trip_ms: float
    each: int
    rounds: int
    say: Callable[[str], None]
    patience: float = PATIENCE


def fresh(match: Match, tools: Sequence[Contestant]) -> dict[str, list[Seen]]:
    """Each tool brings the set into an empty namespace, which is removed before the next one's turn."""
    seen: dict[str, list[Seen]] = {tool.name: [] for tool in tools}
    for number, tool in enumerate(_in_turns(tools, match.rounds)):
        if _is_slow(seen[tool.name]):
            continue
        place = _prepared(match, number)
        seen[tool.name].append(observed(match, tool, place))
        match.ground.remove(place.namespace)
    return seen


def unchanged(match: Match, tools: Sequence[Contestant]) -> dict[str, list[Seen]]:
    """Each tool finds its own set as it left it, everything ready."""
    places = {tool.name: _prepared(match, number) for number, tool in enumerate(tools)}
    seen: dict[str, list[Seen]] = {tool.name: [] for tool in tools}
    try:
        for tool in tools:
            observed(match, tool, places[tool.name])
            match.ground.wait_available(places[tool.name].namespace)
        for tool in _in_turns(tools, match.rounds):
            if not _is_slow(seen[tool.name]):
                seen[tool.name].append(observed(match, tool, places[tool.name]))
    finally:
        match.ground.remove(*(place.namespace for place in places.values()))
    return seen


def warm_up(match: Match, tools: Sequence[Contestant]) -> None:
    """One object of each kind with every tool: files read once, discovery cached, nothing of it counted."""
    small = match._replace(row="warm", each=1)
    places = [_prepared(small, number) for number in range(len(tools))]
    for tool, place in zip(tools, places, strict=True):
        ended = run(tool.argv(place, match.stage), env=match.stage.environment, timeout=PATIENCE)
        if ended.status != 0:
            match.say(f"{tool.name} fails even on five objects (exit {ended.status}): {ended.output[-500:]}")
    match.ground.remove(*(place.namespace for place in places))


def entries(seen: Mapping[str, Sequence[Seen]]) -> list[dict[str, Any]]:
    """What is written to JSON: minimum, median and maximum of each figure, by tool."""
    return [_entry(name, runs) for name, runs in seen.items() if runs]


def _entry(name: str, runs: Sequence[Seen]) -> dict[str, Any]:
    gave_up = [one for one in runs if one.run.status == TIMED_OUT]
    failed = [one for one in runs if one.run.status != 0]
    return {
        "name": name,
        "rounds": len(runs),
        "failed": len(failed),
        "note": f"ended after {PATIENCE:.0f} s" if gave_up else failed[0].run.output[-300:] if failed else "",
        "wall": spread([one.run.wall for one in runs]),
        "net": spread([one.net for one in runs]),
        "applied": _spread(one.applied for one in runs),
        "notice": _spread(one.notice for one in runs),
        "verdict": _spread(one.verdict for one in runs),
        "requests": spread([one.requests for one in runs], 0),
        "writes": spread([one.writes for one in runs], 0),
        "cpu": spread([one.run.cpu for one in runs]),
        "peak_mb": spread([one.run.peak_mb for one in runs], 1),
    }


def _spread(values: Iterable[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    return spread(known) if known else None


def _in_turns(tools: Sequence[Contestant], rounds: int) -> list[Contestant]:
    known = {tool.name: tool for tool in tools}
    return [known[name] for name in turns(list(known), rounds)]


def _prepared(match: Match, number: int) -> Workload:
    """The set for run `number` of the row, its namespace made: ours would make it, the others would not."""
    namespace = f"{match.row}-{match.round_trip_ms:g}-{number}".replace(".", "-")
    match.ground.create(namespace)
    folder = match.ground.folder / namespace
    return workloads.write(folder, namespace, match.each)


def observed(match: Match, tool: Contestant, workload: Workload) -> Seen:
    """One run of the tool on a set that is written and whose namespace is there."""
    argv = tool.argv(workload, match.stage)
    match.ground.log.skip()
    ended = run(argv, env=match.stage.environment, timeout=match.patience)
    noted = match.ground.log.read()
    sent = audit.requests(noted, ended.began, ended.ended)
    applied = audit.last_write(sent, workload.names)
    ready = audit.all_ready(noted, workload.deployments, workload.namespace)
    looks_on = tool.looks_on if applied is not None else 0.0
    notice = verdict = None
    if tool.waits and ready is not None and ended.status == 0:
        notice = ended.ended - looks_on - ready
        verdict = tool.verdict(ended) - ready
    match.say(f"  {tool.name}: {ended.wall:.1f} s, exit {ended.status}, {len(sent)} requests")
    return Seen(
        ended,
        ended.wall - looks_on,
        len(sent),
        sum(one.is_write for one in sent),
        None if applied is None else applied - ended.began,
        notice,
        verdict,
    )


def _is_slow(seen: Sequence[Seen]) -> bool:
    return any(one.run.wall > SLOW for one in seen)
