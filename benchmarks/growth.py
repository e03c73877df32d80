"""How cost grows with the platform: the sandbox overlay with 18, 54 and 180 services, on a new cluster each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks import contest, platforms
from benchmarks.contest import Match
from benchmarks.contestants import LOOKS_ON, OURS, Contestant, Stage
from benchmarks.ground import ground
from benchmarks.surroundings import SCRIPTS
from benchmarks.workloads import Workload

SIZES = (18, 54, 180)
_NODES = 4  # of 16 CPU and 64 GiB, with 250 pods each


def ours(workload: Workload, stage: Stage) -> tuple[str, ...]:
    """Without --kubeconfig, so that it knows its own sandbox: on simulated nodes nothing answers a health check."""
    command = (str(SCRIPTS / "invoke"), "deploy", "--overlay", str(workload.folder), "--namespace", workload.namespace)
    return (*command, "--context", stage.context)


def rows(peers: Sequence[Contestant], sizes: Sequence[int], say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """One row a size; every tool once, since it is the growth that counts."""
    we = Contestant(OURS, ours, waits=True, looks_on=LOOKS_ON)
    for services in sizes:
        seen, objects = {}, 0
        for tool in (we, *peers):
            say(f"growth: {services} services, {tool.name}")
            with ground(say, nodes=_NODES) as place:
                home = place.folder / "home"
                home.mkdir()
                match = Match("growth", place, Stage(place.kubeconfig, place.context, home), 0.0, 1, 1, say)
                contest.warm_up(match, [tool])
                workload = platforms.write(place.folder / "platform", services)
                place.create(workload.namespace)
                seen[tool.name] = [contest.observed(match, tool, workload)]
            objects = len(workload.names)
        yield {
            "row": "growth",
            "services": services,
            "objects": objects,
            "round_trip_ms": 0.0,
            "entries": contest.entries(seen),
        }
