"""The kill-point sweep of docs/faults.md section 3 at level L1: die at every mutation, run again, end up the same.

The whole sequence of a deploy's writes is swept: inventory before the objects, the rollout with its journal, the
corrected inventory. A kill is a BaseException that no handler of the tool may catch.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import FENCE, Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import plan
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.result import RolloutResult
from bakery_ops.workflows.rollout import World, drive
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor, Killed
from tests.rollouts import node, runs
from tests.simulation import Simulation

STREAMS = ("Pod", "Event", "Deployment", "ReplicaSet", "StatefulSet", "Job", "EndpointSlice", "PersistentVolumeClaim")
NO_UID = "the object's own"


def platform(*, old: bool = False, version: int = 1) -> Graph:
    """One object of most kinds in every phase. `old` has one more Deployment; `version` changes the seed Job."""

    def pods(name: str) -> dict[str, Any]:
        return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}

    nodes = [
        node("configmap/app", "ConfigMap", Stage.FOUNDATION),
        node("redis", "StatefulSet", Stage.INFRASTRUCTURE, spec={"replicas": 1, "template": pods("redis")}),
        node(
            "db", "StatefulSet", Stage.DATABASE, after=["configmap/app"],
            spec={"replicas": 1, "template": pods("db"), "volumeClaimTemplates": [{"metadata": {"name": "data"}}]},
        ),
        node("migration", "Job", Stage.MIGRATION, needs=["db"], spec={"template": pods("migration")}),
        node("web", needs=["redis", "migration"], spec={"replicas": 2, "template": pods("web")}),
        node("service/web", "Service", relies=["web"], spec={"selector": {"app": "web"}}),
        node("seed", "Job", Stage.SEED, needs=["web"], spec={"template": pods(f"seed-{version}")}),
    ]  # fmt: skip
    if old:
        nodes.append(node("old", spec={"replicas": 1, "template": pods("old")}))
    return Graph(nodes)


class Site:
    """A cluster that outlives the tool: objects, controllers, journal and inventory."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.simulation = Simulation(self.cluster)
        self.journal = FakeJournal(self.cluster)
        self.inventory: set[ObjectRef] = set()

    def deploy(self, graph: Graph) -> RolloutResult:
        """What the deploy workflow writes, in its order. Raises Killed."""
        cluster = self.cluster
        cluster.stop()  # a dead process follows nothing
        decided = plan(
            graph, cluster.bodies(), dict(self.journal.entries), inventory=self.inventory, allow_mass_prune=True
        )
        refs = {item.ref for item in graph.values()}
        if not refs <= self.inventory:
            self._note(self.inventory | refs)
        pool = InlineExecutor()
        world = World(cluster, cluster, cluster.clock, FakeInbox(cluster), self.journal, pool, pool)
        listed = [cluster.live(ref) for ref in cluster.stored]
        ended = drive(graph, decided, Options(), world, snapshot=listed, synced=STREAMS if listed else ())
        kept = refs | {ref for ref, why in ended.pruned.items() if why}
        if ended.outcome is Outcome.SUCCEEDED and kept != self.inventory:
            self._note(kept)
        return ended

    def _note(self, refs: set[ObjectRef]) -> None:
        self.cluster.about_to_mutate()
        self.inventory = refs
        self.cluster.mutated("inventory", ObjectRef("", "ConfigMap", "", "inventory"))

    def killed(self, graph: Graph, number: int, cut: str) -> bool:
        """Deploy and die at that mutation; False when the deploy ended before it."""
        self.cluster.mutations.clear()
        self.cluster.kill_at = (number, cut)
        try:
            self.deploy(graph)
        except Killed:
            return True
        finally:
            self.cluster.kill_at = None
        return False

    def settle(self) -> None:
        """Let the controllers finish what the dead tool began, or not: reruns come at any time."""
        while (moment := self.cluster.next_at) is not None and moment < self.cluster.clock.now() + 2:
            self.cluster.run_next()

    def ours(self, graph: Graph) -> set[ObjectRef]:
        wanted = {item.ref for item in graph.values()}
        return {ref for ref in self.cluster.stored if ref in wanted}

    def dump(self) -> dict[str, Any]:
        """Everything in the cluster, normalised as faults.md section 3 says; pods as a count per owner."""
        found: dict[str, Any] = {}
        for ref, body in self.cluster.bodies().items():
            if ref.kind in ("Pod", "ReplicaSet", "EndpointSlice", "Event"):
                key = f"{ref.kind} of {_owner(body)}"
                found[key] = found.get(key, 0) + 1
            else:
                found[f"{ref.kind}/{ref.name}"] = _normalised(body)
        return found


def _owner(body: Mapping[str, Any]) -> str:
    owners: Iterable[Mapping[str, Any]] = body["metadata"].get("ownerReferences") or [{"name": NO_UID}]
    return ",".join(str(owner["name"]) for owner in owners)


def _normalised(body: Mapping[str, Any]) -> dict[str, Any]:
    dropped = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}
    metadata = {key: value for key, value in body["metadata"].items() if key not in dropped}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != FENCE}
    return {
        **{key: value for key, value in body.items() if key != "status"},
        "metadata": {**metadata, "annotations": annotations},
    }


def prepared(change: str) -> tuple[Site, Graph]:
    """A site and the graph to deploy onto it: "first" an empty cluster, "second" a changed Job and an orphan."""
    site = Site()
    if change == "second":
        site.deploy(platform(old=True))
        return site, platform(version=2)
    return site, platform()


def baseline(change: str) -> tuple[int, dict[str, Any], dict[str, int]]:
    """Number of mutations of an undisturbed deploy, what it leaves, and how often each Job ran."""
    site, graph = prepared(change)
    site.cluster.mutations.clear()
    assert site.deploy(graph).outcome is Outcome.SUCCEEDED
    return len(site.cluster.mutations), site.dump(), dict(site.simulation.runs)


@pytest.mark.parametrize("change", ["first", "second"])
@pytest.mark.parametrize("cut", ["before", "after"])
def test_killed_at_any_mutation_the_rerun_converges_and_no_job_runs_twice(change: str, cut: str) -> None:
    count, wanted, executions = baseline(change)
    assert count >= 5
    for number in range(1, count + 1):
        site, graph = prepared(change)
        where = f"{change}, {cut} the answer of mutation {number} of {count}"
        assert site.killed(graph, number, cut) is not (cut == "after" and number == count), where
        assert site.ours(graph) <= site.inventory, f"{where}: I1, every object of ours is in the inventory"
        claims = {
            ref: body["metadata"]["uid"]
            for ref, body in site.cluster.bodies().items()
            if ref.kind == "PersistentVolumeClaim"
        }
        if number % 2:
            site.settle()
        ended = site.deploy(graph)
        assert ended.outcome is Outcome.SUCCEEDED, f"{where}: {[cause.sentence for cause in ended.causes]}"
        assert site.dump() == wanted, where
        assert dict(site.simulation.runs) == executions, f"{where}: Job executions"
        for ref, uid in claims.items():
            assert site.cluster.body(ref)["metadata"]["uid"] == uid, f"{where}: I2, {ref} was recreated"
        site.cluster.mutations.clear()
        site.deploy(graph)
        site.cluster.mutations = [item for item in site.cluster.mutations if item[0] != "journal"]
        assert site.cluster.mutations == [], f"{where}: I4, the third run writes nothing"


@runs(40)
@given(st.integers(0, 2**32))
def test_a_killed_rerun_converges_too(seed: int) -> None:
    """Recovery code crashes as well: random pairs and triples of kills."""
    chance = random.Random(seed)
    change = chance.choice(["first", "second"])
    _, wanted, executions = _baselines(change)
    site, graph = prepared(change)
    for _ in range(chance.randint(2, 3)):
        site.killed(graph, chance.randint(1, 12), chance.choice(["before", "after"]))
        if chance.random() < 0.5:
            site.settle()
    assert site.deploy(graph).outcome is Outcome.SUCCEEDED
    assert site.dump() == wanted
    assert dict(site.simulation.runs) == executions


_KNOWN: dict[str, tuple[int, dict[str, Any], dict[str, int]]] = {}


def _baselines(change: str) -> tuple[int, dict[str, Any], dict[str, int]]:
    if change not in _KNOWN:
        _KNOWN[change] = baseline(change)
    return _KNOWN[change]
