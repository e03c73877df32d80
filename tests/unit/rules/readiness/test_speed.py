"""The judge runs on each watch event, so it has to be quick: typically 0.3 ms for one node."""

from __future__ import annotations

from time import process_time

import pytest

from bakery_ops.rules.readiness import Memory, Observation, judge
from tests.unit.rules.readiness import stage

# CPU time, and generous: shared machines are several times slower than the figure we aim at.
LIMIT = 0.0015


@pytest.mark.parametrize(
    "world", ["deployment", "deployment-starting", "deployment-unscheduled", "statefulset", "job-failing", "service"]
)
def test_judging_one_node_is_quick(world: str) -> None:
    player = stage.Player(stage.Case(world, {"world": world, "rule": "", "steps": []}))
    observation = player.observe(
        {"at": 5, "events": [{"about": "pod", "reason": "Unhealthy", "at": number} for number in range(5)]}
    )
    assert min(_seconds(observation) for _ in range(5)) < LIMIT


def _seconds(observation: Observation) -> float:
    memory, times = Memory(), 50
    start = process_time()
    for _ in range(times):
        _, memory = judge(observation, memory)
    return (process_time() - start) / times
