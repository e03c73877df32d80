"""The machine, the readiness rules and the driver together: many deploys with random delays, relapses and one fault.

No false alarm in healthy deploys, whatever restarts while a dependency is away; with one fault exactly one sentence,
about the right node, no later than its hold time and one second.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.rules.plan import plan
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.result import RolloutResult
from bakery_ops.workflows.rollout import World, drive
from tests import simulation
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor
from tests.rollouts import node, runs
from tests.simulation import Behaviour, Simulation


def pods(name: str) -> dict[str, Any]:
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}


def workload(name: str, kind: str, stage: Stage, *needs: str) -> Node:
    return node(name, kind, stage, needs=needs, spec={"replicas": 1, "template": pods(name)})


def platform(services: int) -> Graph:
    nodes = [workload("redis", "StatefulSet", Stage.INFRASTRUCTURE)]
    for index in range(services):
        name = f"s{index}"
        nodes += [
            workload(f"{name}-db", "StatefulSet", Stage.DATABASE),
            workload(f"{name}-migration", "Job", Stage.MIGRATION, f"{name}-db"),
            workload(f"{name}-service", "Deployment", Stage.MICROSERVICE, "redis", f"{name}-db", f"{name}-migration"),
            node(
                f"service/{name}-service", "Service", relies=[f"{name}-service"],
                spec={"selector": {"app": f"{name}-service"}},
            ),
            workload(f"seed-{name}", "Job", Stage.SEED, f"{name}-service"),
        ]  # fmt: skip
    return Graph(nodes)


def deployed(
    graph: Graph, behaviours: dict[str, Behaviour], chance: random.Random, options: Options | None = None
) -> RolloutResult:
    """One deploy; every write takes a random time."""
    cluster = FakeCluster()
    Simulation(cluster, behaviours)
    slow = InlineExecutor(cluster, lambda: chance.uniform(0.001, 0.4))
    world = World(cluster, cluster, cluster.clock, FakeInbox(cluster), FakeJournal(), slow, InlineExecutor())
    return drive(graph, plan(graph, {}), options or Options(), world)


def lively(graph: Graph, chance: random.Random) -> dict[str, Behaviour]:
    """Random delays; services exit without redis or their database; some things lose their readiness for a while."""
    found: dict[str, Behaviour] = {}
    for name, item in graph.items():
        blips = item.ref.kind in ("StatefulSet", "Deployment") and chance.random() < 0.4
        found[name] = Behaviour(
            start=chance.uniform(0.2, 60),
            blip_at=chance.uniform(0.1, 40) if blips else None,
            blip_for=chance.uniform(1, 45),
            crashes_without=tuple(name for name in item.needs if not name.endswith("migration")),
        )
    return found


@runs(40)
@given(st.integers(0, 2**32))
def test_no_healthy_deploy_is_called_a_failure_whatever_restarts_while_its_dependency_is_away(seed: int) -> None:
    chance = random.Random(seed)
    graph = platform(chance.randint(1, 3))
    ended = deployed(graph, lively(graph, chance), chance, Options(width=chance.randint(2, 16)))
    assert ended.outcome is Outcome.SUCCEEDED, [cause.sentence for cause in ended.causes]


# Fault -> seconds from the first sight of the evidence until the verdict may stand: hold time + 1 s.
HOLD_TIMES = {
    simulation.MISSING_SECRET: 10.0,
    simulation.BAD_IMAGE: 10.0,
    simulation.UNSCHEDULABLE: 15.0,
    simulation.QUOTA: 20.0,
}


@pytest.mark.parametrize("fault", HOLD_TIMES)
def test_a_doomed_deploy_ends_within_the_hold_time_and_a_second(fault: str) -> None:
    graph = Graph([workload("web", "Deployment", Stage.MICROSERVICE)])
    ended = deployed(graph, {"web": Behaviour(start=1.0, fault=fault)}, random.Random(1))
    (cause,) = ended.causes
    seen = cause.evidence[0].since
    assert ended.outcome is Outcome.FAILED
    assert ended.ended - seen <= HOLD_TIMES[fault] + 1.0


@runs(40)
@given(st.integers(0, 2**32))
def test_one_fault_anywhere_is_one_sentence_about_that_node(seed: int) -> None:
    chance = random.Random(seed)
    graph = platform(chance.randint(1, 3))
    behaviours = {
        name: Behaviour(start=chance.uniform(0.2, 30), crashes_without=tuple(graph[name].needs)) for name in graph
    }
    behaviours = {
        name: Behaviour(
            start=item.start, crashes_without=tuple(one for one in item.crashes_without if "migration" not in one)
        )
        for name, item in behaviours.items()
    }
    broken = chance.choice(graph.workloads())
    faults = {
        "Job": [simulation.JOB_FAILS, simulation.BAD_IMAGE, simulation.MISSING_SECRET],
        "Deployment": [*simulation.FAULTS],
        "StatefulSet": [fault for fault in simulation.FAULTS if fault != simulation.QUOTA],
    }[broken.ref.kind]
    behaviours[broken.name] = Behaviour(start=1.0, fault=chance.choice(faults))
    ended = deployed(graph, behaviours, chance)
    assert ended.outcome is Outcome.FAILED
    assert [cause.node for cause in ended.causes] == [broken.name], [cause.sentence for cause in ended.causes]
