"""The whole platform on a real node, its databases included: ours, kapp and Skaffold, requests counted by the server.

Images are on the node, and secrets and certificates in the namespace, before each of them begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import contest, platforms
from benchmarks.contest import Match, Seen
from benchmarks.contestants import LOOKS_ON, OURS, Contestant, Stage
from benchmarks.ground import ground
from benchmarks.measure import run
from benchmarks.surroundings import SCRIPTS
from benchmarks.workloads import Workload

SERVICES = 18
_PATIENCE = 600.0
_INVOKE = str(SCRIPTS / "invoke")


def ours(workload: Workload, stage: Stage) -> tuple[str, ...]:
    """The platform of the profile, as its users deploy it."""
    return (_INVOKE, "deploy", "--context", stage.context)


def row(peers: Sequence[Contestant], say: Callable[[str], None]) -> dict[str, Any]:
    """One run of each: it takes minutes, and what counts is how many requests it takes."""
    we = Contestant(OURS, ours, waits=True, looks_on=LOOKS_ON)
    seen: dict[str, list[Seen]] = {}
    with ground(say, real=True) as place:
        home = place.folder / "home"
        home.mkdir()
        match = Match("whole", place, Stage(place.kubeconfig, place.context, home), 0.0, 1, 1, say, _PATIENCE)
        workload = platforms.write(place.folder / "platform", SERVICES)
        _ours(match, "sandbox.images", "--name", place.name)
        for tool in (we, *peers):
            place.create(workload.namespace)
            for credentials in ("secrets.ensure", "tls.ensure"):
                _ours(match, credentials, "--context", place.context)
            seen[tool.name] = [contest.observed(match, tool, workload)]
            place.remove(workload.namespace)
    return {
        "row": "whole",
        "services": SERVICES,
        "objects": len(workload.names),
        "round_trip_ms": 0.0,
        "entries": contest.entries(seen),
    }


def _ours(match: Match, *words: str) -> None:
    ended = run([_INVOKE, *words], env=match.stage.environment)
    if ended.status != 0:
        raise RuntimeError(f"invoke {' '.join(words)}: exit {ended.status}: {ended.output[-1000:]}")
