"""Thousands of whole rollouts in virtual time, on generated graphs, delays, relapses and faults.

A `Player` stands in for cluster and server: it answers the machine's commands after random delays and lets the objects
look like something. What it checks are the promises of docs/faults.md and the properties of docs/readiness.md.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.rules.plan import Action
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import (
    Apply,
    ApplyAccepted,
    ApplyRejected,
    Command,
    Event,
    FetchLog,
    Finish,
    InterruptRequested,
    LeaseLost,
    LogTailArrived,
    ObjectChanged,
    Outcome,
    ReplaceJob,
    StreamLost,
    SuspendJob,
    Synced,
    TimeJumped,
    TimePassed,
    WakeAt,
    WriteJournal,
)
from bakery_ops.rules.rollout.options import STREAMED_KINDS, FailMode, Options
from bakery_ops.rules.rollout.result import RolloutResult, Status, result
from bakery_ops.rules.rollout.view import view
from bakery_ops.rules.verdict import Applied, Verdict
from tests.rollouts import START, believing, looks, node, planned, runs

SEEDS = st.integers(0, 2**48)
STAGES = [Stage.FOUNDATION, Stage.INFRASTRUCTURE, Stage.DATABASE, Stage.MIGRATION, Stage.MICROSERVICE, Stage.SEED]
KINDS = {Stage.FOUNDATION: "ConfigMap", Stage.DATABASE: "StatefulSet", Stage.MIGRATION: "Job", Stage.SEED: "Job"}


def graph_of(chance: random.Random, most: int = 12) -> Graph:
    """Nodes in stages; a node needs, comes after or relies on nodes of its own stage or an earlier one."""
    count = chance.randint(2, most)
    stages = sorted((chance.choice(STAGES) for _ in range(count)), key=lambda stage: stage.order)
    nodes: list[Node] = []
    for index, stage in enumerate(stages):
        earlier = [other.name for other in nodes]
        needs = chance.sample(earlier, min(len(earlier), chance.randint(0, 3)))
        after = chance.sample(earlier, min(len(earlier), chance.randint(0, 1)))
        kind = KINDS.get(stage, "Deployment")
        waits = {name: name for name in needs}
        nodes.append(node(f"n{index}", kind, stage, needs=needs, after=after, waits=waits))
    return Graph(nodes)


@dataclass
class Player:
    """Cluster and server for one rollout.

    Attributes:
        faults: Node -> "failed" (shows failed evidence), "rejected", "silent" (never answers).
        relapses: Nodes that lose their readiness once, for a while, some time after they were ready.
        jitter: Shuffles what happens at one moment; None keeps the order of arrival.
        nap: (from, seconds) in which nobody looks: what happens meanwhile arrives in one heap at its end.
    """

    graph: Graph
    chance: random.Random
    options: Options = field(default_factory=lambda: Options(width=4))
    faults: dict[str, str] = field(default_factory=dict)
    relapses: frozenset[str] = frozenset()
    actions: dict[str, Action] = field(default_factory=dict)
    extra: list[tuple[float, Event]] = field(default_factory=list)
    jitter: random.Random | None = None
    nap: tuple[float, float] | None = None

    def play(self) -> RolloutResult:
        self.queue: list[tuple[float, int, Event]] = []
        self.order = itertools.count()
        self.log: list[tuple[float, Command]] = []
        self.ready: set[str] = set()
        self.begun = START
        self.delays = {name: self.chance.uniform(0.01, 50) for name in self.graph}
        self.latency = {name: self.chance.uniform(0.001, 2) for name in self.graph}
        snapshot = [looks(self.graph[name], "ready") for name in self.actions]
        self.rollout, commands = machine.begin(
            self.graph,
            planned(self.graph, self.actions),
            self.options,
            START,
            snapshot=snapshot,
            synced=STREAMED_KINDS,
            judge=believing,
        )
        for at, event in self.extra:
            heapq.heappush(self.queue, (at, next(self.order), event))
        self.wake: float | None = None
        self.carry_out(commands, START)
        while self.rollout.outcome is None:
            self.turn()
        return result(self.rollout)

    def turn(self) -> None:
        """Deliver everything due at the next moment."""
        assert self.queue or self.wake is not None, "the rollout waits for something that never comes"
        moment = min(item for item in (self.queue[0][0] if self.queue else None, self.wake) if item is not None)
        events: list[Event] = []
        if self.nap is not None and moment >= self.nap[0]:
            self.begun += self.nap[1]
            moment, seconds, self.nap = max(moment, sum(self.nap)), self.nap[1], None
            events.append(TimeJumped(moment, seconds))
            for kind in STREAMED_KINDS:
                self.later(moment + 2, Synced(moment + 2, kind))
        assert moment < self.begun + 7200, "the rollout does not end"
        while self.queue and self.queue[0][0] <= moment:
            events.append(heapq.heappop(self.queue)[2])
        if self.jitter is not None:
            self.jitter.shuffle(events)
        if self.wake is not None and self.wake <= moment:
            self.wake = None
            events.append(TimePassed(moment))
        self.deliver(events, moment)

    def deliver(self, events: list[Event], moment: float) -> None:
        for event in events:
            self.notice(event)
            _, commands = machine.step(self.rollout, event)
            self.carry_out(commands, moment)

    def notice(self, event: Event) -> None:
        if isinstance(event, ObjectChanged):
            name = event.object.metadata.uid.removeprefix("uid-")
            state = event.object.metadata.annotations["told"]
            (self.ready.add if '"ready"' in state else self.ready.discard)(name)

    def carry_out(self, commands: Iterable[Command], now: float) -> None:
        for command in commands:
            self.log.append((now, command))
            match command:
                case Apply(name) | ReplaceJob(name, _):
                    self.answer(name, now)
                case FetchLog(name, _, pod, container, previous):
                    self.later(now + 0.1, LogTailArrived(now + 0.1, name, f"pod/{pod}", container, previous, ("x",)))
                case WakeAt(at):
                    self.wake = at

    def answer(self, name: str, now: float) -> None:
        at = now + self.latency[name]
        fault = self.faults.get(name, "")
        if fault == "silent":
            return
        if fault == "rejected":
            self.later(at, ApplyRejected(at, name, "Invalid", "no"))
            return
        live = looks(self.graph[name], "progressing", progress=0)
        self.later(at, ApplyAccepted(at, name, Applied(live.metadata.uid, 1, "h", now, True, True), live))
        end = at + self.delays[name]
        self.show(at + self.delays[name] / 2, name, "progressing", progress=1)
        if fault == "failed":
            self.show(end, name, "failed", reason="Injected", message=f"fault of {name}")
            return
        self.show(end, name, "ready")
        if name in self.relapses:
            back, length = end + self.chance.uniform(0.5, 30), self.chance.uniform(0.5, 20)
            self.relapse(name, back, back + length)

    def relapse(self, name: str, begin: float, end: float) -> None:
        """The node is not ready for a while, and the containers of its dependents crash meanwhile."""
        self.show(begin, name, "progressing", progress=2)
        self.show(end, name, "ready")

    def show(self, at: float, name: str, verdict: str, **more: object) -> None:
        self.later(at, ObjectChanged(at, looks(self.graph[name], verdict, **more)))

    def later(self, at: float, event: Event) -> None:
        heapq.heappush(self.queue, (at, next(self.order), event))

    @property
    def sent(self) -> list[str]:
        return [command.node for _, command in self.log if isinstance(command, Apply | ReplaceJob)]


class Watchful(Player):
    """Asserts promise I3 at every write: what a node needs has been seen Ready at that very moment.

    And after every event that the view with its kept rows is the view drawn anew.
    """

    def deliver(self, events: list[Event], moment: float) -> None:
        super().deliver(events, moment)
        kept = view(self.rollout).nodes
        self.rollout.rows.clear()
        assert kept == view(self.rollout).nodes

    def carry_out(self, commands: Iterable[Command], now: float) -> None:
        for command in commands:
            if isinstance(command, Apply | ReplaceJob):
                wanting = self.graph[command.node].needs - self.ready - frozenset(self.actions)
                assert not wanting, f"{command.node} was sent while {sorted(wanting)} were not ready"
        super().carry_out(commands, now)


def some(chance: random.Random, graph: Graph, most: int) -> list[str]:
    return chance.sample(list(graph), min(len(graph), chance.randint(0, most)))


def some_nap(chance: random.Random) -> tuple[float, float] | None:
    return (START + chance.uniform(0, 150), chance.choice([15, 300, 7200])) if chance.random() < 0.4 else None


@runs(600)
@given(SEEDS)
def test_a_healthy_rollout_succeeds_whatever_the_delays_relapses_and_naps(seed: int) -> None:
    chance = random.Random(seed)
    graph = graph_of(chance)
    player = Watchful(graph, chance, relapses=frozenset(some(chance, graph, 3)), nap=some_nap(chance))
    ended = player.play()
    assert ended.outcome is Outcome.SUCCEEDED
    assert sorted(player.sent) == sorted(graph), "every node exactly once"
    assert {item.status for item in ended.nodes.values()} == {Status.APPLIED}


@runs(400)
@given(SEEDS)
def test_one_injected_fault_gives_exactly_one_sentence_and_ends_failed(seed: int) -> None:
    chance = random.Random(seed)
    graph = graph_of(chance)
    broken = chance.choice(list(graph))
    mode = chance.choice(list(FailMode))
    player = Watchful(
        graph, chance, Options(width=4, fail_mode=mode), faults={broken: chance.choice(["failed", "rejected"])}
    )
    player.nap = some_nap(chance)
    ended = player.play()
    assert ended.outcome is Outcome.FAILED
    (cause,) = ended.causes
    assert cause.node == broken
    assert not (set(player.sent) & set(dependents(graph, broken))), "no dependent was sent"
    assert ended.nodes[broken].status is Status.FAILED


@runs(320)
@given(SEEDS)
def test_every_rollout_ends_whatever_breaks(seed: int) -> None:
    """Faults, silent servers, lost streams, naps, interrupts, relapses in any mix; and nothing is left unsaid (I5)."""
    chance = random.Random(seed)
    graph = graph_of(chance)
    faults = {name: chance.choice(["failed", "rejected", "silent"]) for name in some(chance, graph, 3)}
    extra: list[tuple[float, Event]] = []
    for kind in ("Pod", "Deployment"):
        if chance.random() < 0.3:
            at = START + chance.uniform(0, 100)
            extra.append((at, StreamLost(at, kind)))
            if chance.random() < 0.7:  # else it never comes back
                extra.append((at + 40, Synced(at + 40, kind)))
    if chance.random() < 0.3:
        at = START + chance.uniform(0, 200)
        extra.append((at, InterruptRequested(at)))
    options = Options(width=chance.randint(1, 5), fail_mode=chance.choice(list(FailMode)))
    player = Watchful(graph, chance, options, faults, frozenset(some(chance, graph, 3)), extra=extra)
    player.nap = some_nap(chance)
    ended = player.play()
    assert set(ended.nodes) == set(graph)
    sent = set(player.sent)
    for name, item in ended.nodes.items():
        assert (item.status is Status.SKIPPED) == (name not in sent)
        if faults.get(name) == "silent" and name in sent:
            assert item.status is Status.UNKNOWN
    if ended.outcome is Outcome.SUCCEEDED:
        assert all(item.verdict is Verdict.READY for item in ended.nodes.values())
    assert sum(isinstance(command, Finish) for _, command in player.log) == 1


@runs(200)
@given(SEEDS)
def test_the_order_of_events_of_one_burst_does_not_change_the_result(seed: int) -> None:
    def played(jitter: random.Random | None) -> tuple[object, ...]:
        chance = random.Random(seed)
        graph = graph_of(chance)
        faults = dict.fromkeys(some(chance, graph, 2), "failed")
        ended = Coarse(graph, chance, Options(width=99), faults, jitter=jitter).play()
        statuses = {name: item.status for name, item in ended.nodes.items()}
        return ended.outcome, statuses, [cause.sentence for cause in ended.causes], ended.seconds

    assert played(None) == played(random.Random(seed + 1)) == played(random.Random(seed + 2))


class Coarse(Player):
    """Everything happens at whole seconds, so that much of it happens at the same moment: one burst to the machine."""

    def deliver(self, events: list[Event], moment: float) -> None:
        self.carry_out(machine.steps(self.rollout, events)[1], moment)

    def later(self, at: float, event: Event) -> None:
        whole = float(int(at) + 1)
        super().later(whole, replace(event, at=whole))


@runs(160)
@given(SEEDS)
def test_a_lost_lease_stops_every_write_at_once(seed: int) -> None:
    chance = random.Random(seed)
    graph = graph_of(chance)
    at = START + chance.uniform(0, 120)
    player = Player(graph, chance, extra=[(at, LeaseLost(at, "somebody"))])
    ended = player.play()
    writes = Apply | ReplaceJob | WriteJournal | SuspendJob
    assert not [command for moment, command in player.log if moment > at and isinstance(command, writes)]
    assert ended.outcome in (Outcome.LOCK_LOST, Outcome.SUCCEEDED)


@runs(160)
@given(SEEDS)
def test_never_more_than_width_workloads_are_started_and_not_ready(seed: int) -> None:
    chance = random.Random(seed)
    graph = graph_of(chance)
    width = chance.randint(1, 4)

    class Counting(Player):
        def carry_out(self, commands: Iterable[Command], now: float) -> None:
            super().carry_out(commands, now)
            holding = {name for name in self.sent if graph[name].is_workload} - self.ready
            assert len(holding) <= width + len(self.relapses)

    assert Counting(graph, chance, Options(width=width)).play().outcome is Outcome.SUCCEEDED


@runs(120)
@given(SEEDS)
def test_unchanged_nodes_are_never_sent_and_ready_ones_cost_no_time(seed: int) -> None:
    chance = random.Random(seed)
    graph = graph_of(chance)
    kept = some(chance, graph, len(graph))
    player = Watchful(graph, chance, actions=dict.fromkeys(kept, Action.SKIP))
    ended = player.play()
    assert ended.outcome is Outcome.SUCCEEDED
    assert sorted(player.sent) == sorted(set(graph) - set(kept))
    if len(kept) == len(graph):
        assert ended.seconds == 0
        written = [command.node for _, command in player.log if isinstance(command, WriteJournal)]
        assert all(graph[name].ref.kind == "Job" for name in written), "only completed Jobs the journal did not know"


def dependents(graph: Graph, name: str) -> set[str]:
    found: set[str] = set()
    queue = [name]
    while queue:
        current = queue.pop()
        for other, item in graph.items():
            if current in item.needs and other not in found:
                found.add(other)
                queue.append(other)
    return found
