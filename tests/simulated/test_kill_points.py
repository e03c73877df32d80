"""kill -9 at every write of a real deploy to a real API server; the rerun ends where an undisturbed run does (F18)."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from uuid import uuid4

import pytest

from bakery_ops.sandbox.lifecycle import SandboxStatus
from tests.proxy import Kill
from tests.simulated.kill_points import PLATFORM, Site, sweep_point

# Every point takes half a minute, mostly of waiting; without the variable a few points stand for all. "2/3" is the
# second of three slices of the whole sweep, for machines that have little time at once.
WHOLE = os.environ.get("BAKERY_WHOLE_SWEEP", "")
SAMPLE = 2
PAIRS = 6 if WHOLE else 1
SIDE_BY_SIDE = 6
FIRST = PLATFORM.read_text()
LEFTOVER = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: leftover"


def second() -> str:
    """The next version: one object fewer, and a Job whose template changed."""
    head, _, rest = FIRST.partition(LEFTOVER)
    text = head + "---\n" + rest.split("---\n", 1)[1]
    assert text.count("kind: ConfigMap") == FIRST.count("kind: ConfigMap") - 1
    return text.replace("bakery/migrate:1", "bakery/migrate:2")


def undisturbed(site: Site, first: str, then: str) -> tuple[str, int]:
    """The dump of a run that nothing disturbs, without its namespace's name, and how often that run wrote."""
    if first:
        site.prepare(first)
        assert (before := site.deploy()).status == 0, before.output
    site.prepare(then)
    run = site.deploy()
    assert run.status == 0, run.output
    assert site.outside_inventory() == []
    dump, count = site.dump().replace(site.namespace, "NAMESPACE"), len(run.mutations)
    site.remove()
    return dump, count


def all_points(count: int, chance: random.Random) -> list[tuple[Kill, ...]]:
    """Both cuts of every write, and pairs that kill the rerun. To die after the last one is to die after the deploy."""
    every = [Kill(number, cut) for number in range(1, count + 1) for cut in ("A", "B")]
    points = every[:-1]
    pairs = [tuple(chance.sample(points, 2)) for _ in range(PAIRS)]
    return [*((point,) for point in points), *pairs]


def chosen(points: Sequence[tuple[Kill, ...]], chance: random.Random) -> list[tuple[Kill, ...]]:
    if "/" in WHOLE:
        number, of = map(int, WHOLE.split("/"))
        return list(islice(points, number - 1, None, of))
    return list(points) if WHOLE else [points[0], *chance.sample(points[1:-1], SAMPLE), points[-1]]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("first", "then"), [("", FIRST), (FIRST, second())], ids=["first", "second"])
def test_a_deploy_killed_at_any_write_is_finished_by_the_next_one(
    simulated_cluster: SandboxStatus, tmp_path: Path, first: str, then: str
) -> None:
    """A first deploy, and a second one that replaces a Job and prunes an object."""
    run = uuid4().hex[:5]
    chance = random.Random(run)
    baseline, count = undisturbed(Site(simulated_cluster, f"sweep-{run}-base", tmp_path / "base"), first, then)
    assert count >= (4 if first else 12)
    points = chosen(all_points(count, chance), chance)

    def sweep(kills: tuple[Kill, ...]) -> list[str]:
        name = f"sweep-{run}-" + "-".join(f"{kill.mutation}{kill.cut.lower()}" for kill in kills)
        site = Site(simulated_cluster, name, tmp_path / name)
        return sweep_point(site, kills, baseline.replace("NAMESPACE", name), first=first, then=then)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        wrong = [problem for problems in pool.map(sweep, points) for problem in problems]
    assert not wrong, "\n".join([f"{len(points)} points swept; the deploy writes {count} times", *wrong])
