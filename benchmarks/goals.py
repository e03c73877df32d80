"""What the design asks for, beside what was measured: the first table of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.contestants import OURS

Row = Mapping[str, Any]


class Measured(NamedTuple):
    """A figure in words, and whether it reaches the goal."""

    text: str
    reached: bool


class Goal(NamedTuple):
    """`measure` looks the figure up in the rows and raises LookupError where it was not measured."""

    work: str
    goal: str
    measure: Callable[[Sequence[Row]], Measured]


def lines(rows: Sequence[Row]) -> list[list[str]]:
    """Cells of the table, the heading first; what was not measured is a dash."""
    found = [["work", "goal", "measured", "reached"]]
    for goal in GOALS:
        try:
            measured = goal.measure(rows)
        except LookupError:
            found.append([goal.work, goal.goal, "–", "–"])
            continue
        found.append([goal.work, goal.goal, measured.text, "yes" if measured.reached else "**no**"])
    return found


def _entry(rows: Iterable[Row], tool: str, /, **wanted: Any) -> Row:
    for row in rows:
        if all(row.get(key) == value for key, value in wanted.items()):
            for entry in row["entries"]:
                if entry["name"] == tool:
                    return dict(entry)
    raise LookupError(f"{tool} in {wanted}")


def middle(rows: Sequence[Row], tool: str, figure: str, /, **wanted: Any) -> float:
    """The median of a tool's figure in the row that has `wanted`. Raises LookupError where it was not measured."""
    spread = _entry(rows, tool, **wanted).get(figure)
    if not spread:
        raise LookupError(figure)
    return float(spread[1])


def _times(row: str, peer: str, figure: str, least: float, round_trip_ms: float) -> Callable[[Sequence[Row]], Measured]:
    """How many times as long as ours the peer needs."""

    def measure(rows: Sequence[Row]) -> Measured:
        where = {"row": row, "round_trip_ms": round_trip_ms}
        times = middle(rows, peer, figure, **where) / middle(rows, OURS, figure, **where)
        return Measured(f"{times:.1f} ×", times >= least)

    return measure


def _most(row: str, figure: str, most: float, unit: str, **where: Any) -> Callable[[Sequence[Row]], Measured]:
    def measure(rows: Sequence[Row]) -> Measured:
        value = middle(rows, OURS, figure, row=row, **where)
        shown = f"{value * 1000:.0f} ms" if unit == "ms" else f"{value:.0f} {unit}".strip()
        return Measured(shown, value <= most)

    return measure


def _growth(figure: str) -> Callable[[Sequence[Row]], Measured]:
    def measure(rows: Sequence[Row]) -> Measured:
        small, large = (middle(rows, OURS, figure, row="growth", services=number) for number in (18, 180))
        return Measured(f"{large / small:.1f} ×", large / small <= 11)

    return measure


def _share(rows: Sequence[Row]) -> Measured:
    where = {"row": "whole"}
    share = middle(rows, OURS, "requests", **where) / middle(rows, "skaffold run", "requests", **where)
    return Measured(f"{share:.0%}", share <= 0.1)


def _rendered(rows: Sequence[Row]) -> Measured:
    name = "render prod, nothing cached"
    share = middle(rows, OURS, "seconds", name=name) / middle(rows, "kubectl kustomize", "seconds", name=name)
    return Measured(f"{share:.2f} ×", share <= 1.1)


def _intake(rows: Sequence[Row]) -> Measured:
    rate = float(_entry(rows, OURS, name="watch intake")["per_second"] or 0)
    return Measured(f"{rate:,.0f} events/s", rate >= 10_000)


def _offline(name: str, most: float) -> Callable[[Sequence[Row]], Measured]:
    """By CPU time, which other programs on the machine stretch less than the clock's; these pieces wait for nothing."""

    def measure(rows: Sequence[Row]) -> Measured:
        value = middle(rows, OURS, "cpu", name=name)
        return Measured(f"{value * 1000:.0f} ms of CPU", value <= most)

    return measure


SERVER_SIDE, CLIENT_SIDE = "kubectl apply --server-side", "kubectl apply"
GOALS = (
    Goal("apply 250 objects, 20 ms round trip", f"10 × faster than `{SERVER_SIDE}`",
         _times("apply", SERVER_SIDE, "applied", 10, 20.0)),
    Goal("apply 250 objects, loopback", f"2 × faster than `{SERVER_SIDE}`",
         _times("apply", SERVER_SIDE, "applied", 2, 0.0)),
    Goal("apply 250 objects, loopback", f"3 × faster than `{CLIENT_SIDE}`",
         _times("apply", CLIENT_SIDE, "applied", 3, 0.0)),
    Goal("the same again, requests", "at most 15", _most("unchanged", "requests", 15, "", round_trip_ms=0.0)),
    Goal("the same again, writes", "none", _most("unchanged", "writes", 0, "", round_trip_ms=0.0)),
    Goal("the same again", f"3 × faster than `{CLIENT_SIDE}`", _times("unchanged", CLIENT_SIDE, "wall", 3, 0.0)),
    Goal("apply 250 objects and wait", "5 × faster than kapp", _times("wait", "kapp deploy", "net", 5, 0.0)),
    Goal("apply 250 objects and wait", "10 × faster than `skaffold run`",
         _times("wait", "skaffold run", "net", 10, 0.0)),
    Goal("verdict after the last Deployment was available", "at most 100 ms",
         _most("wait", "verdict", 0.1, "ms", round_trip_ms=0.0)),
    Goal("from the server's commit to our verdict, p99 while drawing", "at most 50 ms",
         _most("delay", "p99", 0.05, "ms")),
    Goal("requests of a whole deploy, real node", "a tenth of Skaffold's", _share),
    Goal("peak memory of a whole deploy, 18 services", "at most 120 MB",
         _most("growth", "peak_mb", 120, "MB", services=18)),
    Goal("18 to 180 services: time", "at most 11 ×", _growth("net")),
    Goal("18 to 180 services: CPU", "at most 11 ×", _growth("cpu")),
    Goal("18 to 180 services: memory", "at most 11 ×", _growth("peak_mb")),
    Goal("18 to 180 services: requests", "at most 11 ×", _growth("requests")),
    Goal("render prod, nothing cached", "kustomize + 10 %", _rendered),
    Goal("render prod again", "at most 50 ms", _offline("render prod again", 0.05)),
    Goal("load, lint and schema-check 400 documents", "at most 0.5 s",
         _offline("load, lint and schema-check 400 documents", 0.5)),
    Goal("capacity proof of prod, after loading", "at most 50 ms",
         _offline("capacity proof of prod, after loading", 0.05)),
    Goal("read and judge 1,000 pods", "at most 50 ms", _offline("read and judge 1,000 pods", 0.05)),
    Goal("watch intake", "10,000 events/s", _intake),
)  # fmt: skip
