"""What a rollout knows: one record per node and per stage, and the whole."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import Action, Plan, Step
from bakery_ops.rules.readiness.observation import ClusterFacts, Memory, Observation
from bakery_ops.rules.rollout.events import Command, Outcome
from bakery_ops.rules.rollout.indexes import Affected, claim_templates, dependents_of, priorities
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.waiting import Waiting
from bakery_ops.rules.rollout.world import World
from bakery_ops.rules.verdict import Applied, Evidence, Judgement, Verdict

Judge = Callable[[Observation, Memory], tuple[Judgement, Memory]]


class Phase(Enum):
    """How far our own work on a node has got; what the cluster makes of it is the verdict."""

    WAITING = "waiting"  # not admitted
    APPLYING = "applying"  # sent, not answered
    APPLIED = "applied"
    TERMINATING = "terminating"  # our apply met an object that is being deleted: apply again once it is gone
    FOUND = "found"  # unchanged, never sent
    DONE = "done"  # a Job that an earlier run completed; or a node nobody asked for
    REJECTED = "rejected"
    UNKNOWN = "unknown"  # sent, and nobody knows what became of it


UNJUDGED = Judgement(Verdict.PROGRESSING)


class Standing(NamedTuple):
    """A node's verdict with everything that explains it."""

    verdict: Verdict
    message: str
    edges: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class NodeState:
    """One node. `edges` are the nodes that are not Ready and hold this one up (docs/readiness.md section 5, step 2)."""

    node: Node
    step: Step
    claim_templates: tuple[str, ...]
    phase: Phase = Phase.WAITING
    applied: Applied | None = None
    verdict: Verdict = Verdict.BLOCKED
    message: str = ""
    edges: frozenset[str] = frozenset()
    evidence: tuple[Evidence, ...] = ()
    judgement: Judgement = UNJUDGED
    memory: Memory = field(default_factory=Memory)
    since: float = 0.0
    own_failure: Evidence | None = None  # rejected, unknown, or out of progress: not the judge's
    progress: Hashable = None
    progress_at: float | None = None  # None: the no-progress timer is not running
    log_seen: tuple[str, ...] = ()
    polled_at: float = 0.0
    timed_out: bool = False
    holds_slot: bool = False
    logs: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)  # (pod UID, container) -> tail
    logs_wanted: set[tuple[str, str, bool]] = field(default_factory=set)
    sent_at: float | None = None
    ready_at: float | None = None
    journalled: str = ""

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def is_ready(self) -> bool:
        return self.verdict is Verdict.READY

    @property
    def is_applied(self) -> bool:
        return self.phase in _STANDING

    @property
    def is_failed(self) -> bool:
        return self.verdict is Verdict.FAILED


_STANDING = frozenset({Phase.APPLIED, Phase.FOUND, Phase.DONE})


@dataclass(slots=True)
class StageState:
    """One stage. `stable_at`: end of the running stability window; `restarts`: the counts when it began."""

    stage: Stage
    members: tuple[str, ...]
    not_ready: set[str]
    started_at: float | None = None
    deadline: float | None = None
    extended: bool = False
    ready_at: float | None = None
    stable_at: float | None = None
    restarts: dict[tuple[str, str], int] = field(default_factory=dict)
    done_at: float | None = None


class Timers:
    """The times at which something has to be looked at again: (time, what), earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._pending: set[tuple[float, str]] = set()
        self.asked: float | None = None

    def at(self, time: float, what: str) -> None:
        """`what`: a node's name to judge again, or "" for the rollout as a whole."""
        if (time, what) not in self._pending:
            self._pending.add((time, what))
            heapq.heappush(self._heap, (time, what))

    def due(self, now: float) -> set[str]:
        names: set[str] = set()
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            self._pending.discard(entry)
            names.add(entry[1])
        return names

    @property
    def next(self) -> float | None:
        return self._heap[0][0] if self._heap else None


@dataclass(slots=True)
class Rollout:
    """One deploy in progress. Mutable, owned by the caller of `machine.step`; never shared between threads."""

    graph: Graph
    plan: Plan
    options: Options
    started: float
    facts: ClusterFacts
    judge: Judge
    now: float
    nodes: dict[str, NodeState]
    stages: dict[Stage, StageState]
    affected: Affected
    dependents: dict[str, tuple[str, ...]]
    priority: dict[str, tuple[int, int]]
    world: World = field(default_factory=World)
    timers: Timers = field(default_factory=Timers)
    commands: list[Command] = field(default_factory=list)
    dirty: dict[str, None] = field(default_factory=dict)
    admissible: Waiting = field(default_factory=Waiting)  # nothing to wait for but a slot
    failed: set[str] = field(default_factory=set)
    timed_out: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)
    slots: int = 0
    width: int = 0
    width_reason: str = ""  # why it was last narrowed
    kills: set[tuple[str, int]] = field(default_factory=set)
    admission_due: bool = True
    synced: set[str] = field(default_factory=set)
    logs_pending: set[tuple[str, str, str, bool]] = field(default_factory=set)
    log_tails: dict[tuple[str, str, str, bool], tuple[str, ...]] = field(default_factory=dict)
    prune_pending: set[ObjectRef] = field(default_factory=set)
    pruned: dict[ObjectRef, str] = field(default_factory=dict)
    leaving: dict[ObjectRef, str] = field(default_factory=dict)  # deleted, and still there: what holds it
    prune_started: bool = False
    prune_by: float = 0.0
    settle_at: float | None = None
    closing: Outcome | None = None
    closing_by: float = 0.0
    closed_at: float = 0.0
    unseen: set[str] = field(default_factory=set)  # not Ready by themselves, and no stream will tell when they are
    doubted: set[str] = field(default_factory=set)  # Namespaces that were asked for, without an answer yet
    reread_after: float = 0.0
    reread_at: float = 0.0
    paused_until: float = 0.0
    unwatched: float = 0.0  # seconds in which nobody looked
    outcome: Outcome | None = None
    ended: float | None = None
    lock_holder: str = ""
    touched: set[str] = field(default_factory=set)  # nodes whose view changed since somebody looked
    rows: dict[str, object] = field(default_factory=dict)  # of the view, kept until the node is judged again

    @property
    def writes_allowed(self) -> bool:
        return self.closing is None and self.outcome is None

    @property
    def may_send(self) -> bool:
        return self.writes_allowed and self.now >= self.paused_until


def new_rollout(graph: Graph, plan: Plan, options: Options, at: float, facts: ClusterFacts, judge: Judge) -> Rollout:
    """Records for every node of the graph, nothing judged yet."""
    nodes = {
        name: NodeState(node, plan.steps[name], claim_templates(node), phase=_first_phase(plan.steps[name]), since=at)
        for name, node in graph.items()
    }
    members: defaultdict[Stage, list[str]] = defaultdict(list)
    for name, node in graph.items():
        members[node.stage].append(name)
    stages = {stage: StageState(stage, tuple(names), set(names)) for stage, names in members.items()}
    return Rollout(
        graph=graph,
        plan=plan,
        options=options,
        started=at,
        facts=facts,
        judge=judge,
        now=at,
        nodes=nodes,
        stages=stages,
        affected=Affected(graph),
        dependents=dependents_of(graph),
        priority=priorities(graph),
        reread_after=options.reread,
        width=options.width,
    )


def _first_phase(step: Step) -> Phase:
    return {Action.SKIP: Phase.FOUND, Action.DONE: Phase.DONE}.get(step.action, Phase.WAITING)


STREAMS_NEEDED = {
    "Deployment": ("Deployment", "ReplicaSet", "Pod", "Event"),
    "StatefulSet": ("StatefulSet", "Pod", "Event", "PersistentVolumeClaim"),
    "DaemonSet": ("DaemonSet", "Pod", "Event"),
    "ReplicaSet": ("ReplicaSet", "Pod", "Event"),
    "ReplicationController": ("ReplicationController", "Pod", "Event"),
    "Job": ("Job", "Pod", "Event"),
    "Pod": ("Pod", "Event"),
    "Service": ("EndpointSlice",),
}


def is_synced(rollout: Rollout, state: NodeState) -> bool:
    """Whether every stream that shows this node is connected and complete."""
    return all(stream in rollout.synced for stream in streams_of(state) if stream in rollout.options.streamed)


def streams_of(state: NodeState) -> tuple[str, ...]:
    """The kinds that have to be followed to know how this node stands."""
    kind = state.node.ref.kind
    return STREAMS_NEEDED.get(kind, (kind,))
