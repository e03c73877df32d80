"""kill -9 at every write of a real deploy to a real API server; the rerun ends where an undisturbed run does (F18)."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy import Kill
from tests.simulated.kill_points import Site, sweep_point

# The whole sweep takes a quarter of an hour on two cores; without the variable a few points stand for it.
WHOLE = "BAKERY_WHOLE_SWEEP" in os.environ
SAMPLE = 4
SIDE_BY_SIDE = 6


@pytest.mark.timeout(1800)
def test_a_deploy_killed_at_any_write_is_finished_by_the_next_one(
    simulated_cluster: SandboxStatus, tmp_path: Path
) -> None:
    run = uuid4().hex[:5]
    undisturbed = Site(simulated_cluster, f"sweep-{run}-base", tmp_path / "base")
    undisturbed.prepare()
    first = undisturbed.deploy()
    assert first.status == 0, first.output
    assert undisturbed.outside_inventory() == []
    baseline, total = undisturbed.dump().replace(undisturbed.namespace, "NAMESPACE"), len(first.mutations)
    assert total >= 8, first.mutations
    points = [
        Kill(number, cut) for number in range(1, total + 1) for cut in ("A", "B") if (number, cut) != (total, "B")
    ]
    if not WHOLE:
        points = [points[0], points[-1], *random.Random(run).sample(points[1:-1], SAMPLE)]

    def sweep(point: Kill) -> list[str]:
        name = f"sweep-{run}-{point.mutation}{point.cut.lower()}"
        site = Site(simulated_cluster, name, tmp_path / name)
        return sweep_point(site, point, baseline.replace("NAMESPACE", name))

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        wrong = [problem for problems in pool.map(sweep, points) for problem in problems]
    assert not wrong, "\n".join(wrong)
    undisturbed.remove()
