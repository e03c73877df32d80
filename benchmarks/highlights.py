"""The few sentences of README.md, made from the results like the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.goals import middle

Row = Mapping[str, Any]
_SERVER_SIDE = "kubectl apply --server-side"
_CALM = {"round_trip_ms": 0.0}


def sentences(rows: Sequence[Row]) -> list[str]:
    """As list items; what was not measured is left out."""
    found = []
    for sentence in (_whole, _applied, _waited, _noticed, _unchanged):
        try:
            found.append(f"- {sentence(rows)}")
        except LookupError:
            continue
    return found


def _times(rows: Sequence[Row], peer: str, figure: str, **where: Any) -> float:
    return middle(rows, peer, figure, **where) / middle(rows, OURS, figure, **where)


def _whole(rows: Sequence[Row]) -> str:
    where = {"row": "whole"}
    times = [_times(rows, peer, "net", **where) for peer in ("kapp deploy", "skaffold run")]
    asked = [_times(rows, peer, "requests", **where) for peer in ("kapp deploy", "skaffold run")]
    return (
        f"The whole platform on a real node: kapp {times[0]:.1f} ×, `skaffold run` {times[1]:.1f} × as long as ours, "
        f"with {asked[0]:.1f} × and {asked[1]:.1f} × as many requests."
    )


def _applied(rows: Sequence[Row]) -> str:
    where = {"row": "apply", "round_trip_ms": 20.0}
    times = _times(rows, _SERVER_SIDE, "applied", **where)
    return f"250 objects accepted by a server 20 ms away: `{_SERVER_SIDE}` needs {times:.1f} × as long as ours."


def _waited(rows: Sequence[Row]) -> str:
    kapp, skaffold = (_times(rows, peer, "net", row="wait", **_CALM) for peer in ("kapp deploy", "skaffold run"))
    return f"The same applied and waited for: kapp {kapp:.1f} ×, `skaffold run` {skaffold:.1f} × as long as ours."


def _noticed(rows: Sequence[Row]) -> str:
    ours, kapp = (middle(rows, name, "verdict", row="wait", **_CALM) for name in (OURS, "kapp deploy"))
    return f"From the last Deployment available to the verdict: {ours * 1000:.0f} ms, kapp {kapp * 1000:.0f} ms."


def _unchanged(rows: Sequence[Row]) -> str:
    where: dict[str, Any] = {"row": "unchanged", **_CALM}
    requests = {name: middle(rows, name, "requests", **where) for name in (OURS, _SERVER_SIDE)}
    ours, server_side = requests[OURS], requests[_SERVER_SIDE]
    return f"Nothing to do: {ours:.0f} requests and a verified platform, `{_SERVER_SIDE}` {server_side:.0f}."
