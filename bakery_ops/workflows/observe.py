"""Read the cluster once and judge every node of a graph: what `deploy.status`, `verify` and the plan stand on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from bakery_ops.model.contract import RELEASE
from bakery_ops.model.graph import Graph
from bakery_ops.model.live import LiveObject
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules import diagnosis
from bakery_ops.rules.plan import PROTECTED_KINDS, Action, Plan, Recorded, Step, is_completed
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.result import RolloutResult
from bakery_ops.rules.rollout.state import Rollout
from bakery_ops.rules.rollout.view import MISSING, RolloutView, causes, view
from bakery_ops.rules.verdict import Judgement, Verdict
from bakery_ops.workflows.ports import Clock, Requests
from bakery_ops.workflows.rollout_requests import live_object

# Groups of the kinds that readiness looks at besides the nodes' own kinds. Events are not among them: a rule counts
# none that is older than the look it is part of.
_OBSERVED = {
    "Pod": "",
    "ReplicaSet": "apps",
    "PersistentVolumeClaim": "",
    "EndpointSlice": "discovery.k8s.io",
}
_PARALLEL = 8
# What is kept in the cluster of earlier releases is large and of no use here.
_LEFT_OUT = {("", "ConfigMap"): f"!{RELEASE}"}


class Snapshot(NamedTuple):
    """Whole live objects by ref, one LIST per kind and namespace; `places`: (group, kind, namespace) of each list."""

    objects: Mapping[ObjectRef, Mapping[str, Any]]
    places: frozenset[tuple[str, str, str]]

    @property
    def kinds(self) -> frozenset[str]:
        return frozenset(kind for _, kind, _ in self.places)

    def structs(self, kinds: Iterable[str] | None = None) -> list[LiveObject]:
        """The objects (of `kinds`) as the partial structs the rules read."""
        wanted = None if kinds is None else frozenset(kinds)
        return [live_object(body) for ref, body in self.objects.items() if wanted is None or ref.kind in wanted]


def snapshot(
    requests: Requests, graph: Graph, *, extra: Mapping[str, str] | None = None, records: str | None = None
) -> Snapshot:
    """List every kind the graph has (and `extra`: kind -> group), each in the namespaces its nodes live in.

    `records`: the namespace whose ConfigMaps are listed in any case, because inventory and journal are among them.
    """
    wanted: dict[tuple[str, str], set[str | None]] = {}
    namespaces = {node.ref.namespace for node in graph.values() if node.ref.namespace}
    for node in graph.values():
        wanted.setdefault((node.ref.group, node.ref.kind), set()).add(node.ref.namespace or None)
    for kind, group in (extra or {}).items():
        wanted.setdefault((group, kind), set()).update(namespaces)
    if records is not None:
        wanted.setdefault(("", "ConfigMap"), set()).add(records)
    tasks = [(group, kind, namespace) for (group, kind), places in wanted.items() for namespace in places]

    def read(task: tuple[str, str, str | None]) -> Sequence[Mapping[str, Any]]:
        group, kind, namespace = task
        return requests.list(group, kind, namespace, label_selector=_LEFT_OUT.get((group, kind), ""))

    objects: dict[ObjectRef, Mapping[str, Any]] = {}
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for (group, kind, _), items in zip(tasks, pool.map(read, tasks), strict=True):
            for body in items:
                metadata = body["metadata"]
                objects[ObjectRef(group, kind, metadata.get("namespace", ""), metadata["name"])] = body
    return Snapshot(objects, frozenset((group, kind, namespace or "") for group, kind, namespace in tasks))


def unseen_places(
    seen: Snapshot, refs: Iterable[ObjectRef], named: Collection[str] = ()
) -> frozenset[tuple[str, str, str]]:
    """(group, kind, namespace) of what an inventory holds and nobody has listed, because the render has none there now.

    Kinds that are only deleted by a flag of their own are left out unless it has `named` them: the platform's Secrets
    are in no render.
    """
    spared = PROTECTED_KINDS - frozenset(named)
    return frozenset(ref[:3] for ref in refs if ref.kind not in spared) - seen.places


def with_orphans(
    requests: Requests, seen: Snapshot, inventory: Iterable[ObjectRef], named: Collection[str] = ()
) -> Snapshot:
    """`seen` with the objects of those places, so that the last object of a place is missed like any other."""
    objects = dict(seen.objects)
    missing = unseen_places(seen, inventory, named)
    for group, kind, namespace in sorted(missing):
        for body in requests.list(group, kind, namespace or None):
            metadata = body["metadata"]
            objects[ObjectRef(group, kind, metadata.get("namespace", ""), metadata["name"])] = body
    return Snapshot(objects, seen.places | missing)


def gone(seen: Snapshot, inventory: Iterable[ObjectRef]) -> frozenset[ObjectRef]:
    """What an inventory holds and a list of its place does not: somebody else has deleted it."""
    return frozenset(ref for ref in inventory if ref[:3] in seen.places and ref not in seen.objects)


def observed_kinds() -> Mapping[str, str]:
    """Kind -> group of what readiness looks at besides the nodes themselves."""
    return _OBSERVED


def watched_only(graph: Graph, done: Collection[str] = ()) -> Plan:
    """The plan that writes nothing and looks at every node but those that are `done`."""
    actions = {name: Action.DONE if name in done else Action.SKIP for name in graph}
    return Plan({name: Step(name, action, "observed", "") for name, action in actions.items()})


Done = Callable[[Snapshot], Collection[str]]
"""Names the Jobs known to have completed, when it is told what the cluster shows."""


def completed_and_gone(graph: Graph, journal: Mapping[str, Recorded]) -> Done:
    """Jobs that the journal knows to be complete and that are not in the cluster any more: their TTL removed them."""

    def done(seen: Snapshot) -> Collection[str]:
        gone = [node for node in graph.values() if node.ref.is_job and node.ref not in seen.objects]
        return [node.name for node in gone if is_completed(node, journal)]

    return done


def completed_so_far(decided: Plan, result: RolloutResult) -> Done:
    """Jobs that completed in an earlier run: their objects may be gone, or be those of another release. And Jobs that
    this rollout saw complete, and that their TTL has removed since."""
    earlier = frozenset(step.node for step in decided.steps.values() if step.action is Action.DONE and step.recorded)
    now = [node for node in result.nodes.values() if node.ref.is_job and node.verdict is Verdict.READY]

    def done(seen: Snapshot) -> Collection[str]:
        return earlier | {node.name for node in now if node.ref not in seen.objects}

    return done


class Standing(NamedTuple):
    """How the platform stands at one moment."""

    view: RolloutView
    judgements: Mapping[str, Judgement]
    snapshot: Snapshot


def judge_now(requests: Requests, graph: Graph, clock: Clock, facts: ClusterFacts, *, done: Done) -> Standing:
    """Every node of `graph` as it stands now; nothing is written and nothing is waited for.

    A Job that is `done` is not judged, whatever the cluster still shows of it.
    """
    seen = snapshot(requests, graph, extra=_OBSERVED)
    still = watched_only(graph, done(seen))
    rollout, _commands = machine.begin(
        graph,
        still,
        Options(),
        clock.now(),
        facts=facts,
        snapshot=seen.structs(),
        synced=seen.kinds | frozenset(STREAMED_KINDS),
    )
    # Nothing is under way, so what fails now is a cause now, although no timer has run out on it.
    failing = tuple(cause for cause in diagnosis.reported(causes(rollout)) if cause.evidence)
    shown, judgements = view(rollout), judged(rollout)
    absent = [name for name, node in shown.nodes.items() if _is_missing(graph[name].ref, node.verdict, seen)]
    nodes = {**shown.nodes, **{name: shown.nodes[name]._replace(message=MISSING) for name in absent}}
    judgements = {**judgements, **{name: replace(judgements[name], message=MISSING) for name in absent}}
    return Standing(shown._replace(causes=failing, nodes=nodes), judgements, seen)


def _is_missing(ref: ObjectRef, verdict: Verdict, seen: Snapshot) -> bool:
    """The rollout calls it unseen, for a deploy has just sent it."""
    return verdict is not Verdict.READY and ref not in seen.objects


def judged(rollout: Rollout) -> Mapping[str, Judgement]:
    """Node name -> its judgement with the rollout's own verdict on it."""
    return {
        name: replace(state.judgement, verdict=state.verdict, message=state.message, evidence=state.evidence)
        for name, state in rollout.nodes.items()
    }
