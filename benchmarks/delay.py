"""From the API server's commit to our verdict, for each of 160 Deployments, while the live view is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import audit, workloads
from benchmarks.contest import PATIENCE
from benchmarks.contestants import OURS, Stage, our_verdicts, ours
from benchmarks.ground import Ground
from benchmarks.measure import run

_EACH = 160  # Deployments of one pod: the size of the whole platform (docs/readiness.md, section 7)


def row(place: Ground, stage: Stage, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Every Deployment of every round is one sample; a terminal is drawn on meanwhile."""
    delays: list[float] = []
    for number in range(rounds):
        namespace = f"delay-{number}"
        place.create(namespace)
        workload = workloads.write(place.folder / namespace, namespace, _EACH)
        place.log.skip()
        environment = {**stage.environment, "TERM": "xterm-256color", "CI": ""}
        ended = run(ours(workload, stage), env=environment, timeout=PATIENCE, terminal=True)
        if ended.status != 0:
            raise RuntimeError(f"exit {ended.status}: {ended.output[-2000:]}")
        committed = audit.ready_times(place.log.read(), namespace)
        decided = our_verdicts(ended)
        delays += [decided[name] - committed[name] for name in sorted(workload.deployments)]
        say(f"delay: {ended.wall:.1f} s, {len(delays)} samples")
        place.remove(namespace)
    return {
        "row": "delay",
        "deployments": _EACH,
        "entries": [
            {
                "name": OURS,
                "rounds": rounds,
                "samples": len(delays),
                **{f"p{part}": [percentile(delays, part)] * 3 for part in (50, 95, 99)},
                "most": [max(delays)] * 3,
            }
        ],
    }


def percentile(values: Sequence[float], part: int) -> float:
    """The least value that at least `part` per cent of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * part // 100) - 1)]
