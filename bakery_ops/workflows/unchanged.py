"""A deploy that finds nothing to do: told from one look at the cluster, without the lock and without a write.

Why this proves as much as the long way, and what it does not measure: docs/decisions/0006-unchanged-deploy.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bakery_ops.model.graph import Graph
from bakery_ops.model.live import Pod
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules import acceptance
from bakery_ops.rules.acceptance import Facts
from bakery_ops.rules.plan import Live, Plan, plan
from bakery_ops.rules.readiness.calm import is_calm
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.releases import PENDING
from bakery_ops.rules.reports import DeployReport, VerifyReport
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import Finish, Outcome
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.result import result
from bakery_ops.rules.rollout.state import Rollout
from bakery_ops.workflows import preflight
from bakery_ops.workflows.facts import with_brought
from bakery_ops.workflows.observe import Snapshot, judged, snapshot, unseen_places
from bakery_ops.workflows.ports import Clock, Inventory, Journal, Requests
from bakery_ops.workflows.rollout_scribe import OnChange, OnEvent, Scribe

# What tells that a workload is well, besides the nodes themselves; the rest explains why one is not.
_GLANCE = {"Pod": "", "EndpointSlice": "discovery.k8s.io"}


class Quick(NamedTuple):
    """What a look needs of the world besides requests.

    Attributes:
        namespace: Where inventory and journal are kept.
        is_free: Whether runs have been here before and none holds the lock now.
        credentials: All secrets the platform wants, or None when one has to be made or extended.
        facts: As for any deploy; only asked where a class is named that readiness looks at.
        known: What is known of the cluster without asking it.
    """

    namespace: str
    is_free: Callable[[], bool]
    credentials: Callable[[], Collection[ObjectRef] | None]
    facts: Callable[[], ClusterFacts]
    known: ClusterFacts


class Standing(NamedTuple):
    """A platform that stands as rendered. `began`: server time of the look, epoch seconds."""

    plan: Plan
    rollout: Rollout
    objects: Mapping[ObjectRef, Live]
    pods: Sequence[Pod]
    began: float


def look(
    graph: Graph, requests: Requests, clock: Clock, journal: Journal, inventory: Inventory, quick: Quick
) -> Standing | None:
    """The platform as it stands, or None when a deploy would write, wait or explain anything.

    Raises: PreflightRefused, TargetRefused: what the deploy itself would raise before its first write.
    """
    if not quick.is_free():
        return None
    began = clock.now()
    seen = snapshot(requests, graph, extra=_GLANCE, records=quick.namespace)
    if ObjectRef("", "ConfigMap", quick.namespace, PENDING) in seen.objects:
        return None  # begun and not recorded: there is something to finish
    recorded = inventory.read(seen.objects)
    decided = plan(graph, seen.objects, journal.read(seen.objects), inventory=recorded)
    is_recorded = {node.ref for node in graph.values()} <= set(recorded)
    if not decided.is_empty or not is_recorded or unseen_places(seen, recorded):
        return None
    credentials = quick.credentials()
    if credentials is None:
        return None
    preflight.references_exist(graph, requests, {*credentials, *seen.objects})
    standing = _judged(graph, decided, seen, _facts(graph, requests, quick), began)
    return standing if standing is not None and _is_calm(standing) else None


def report(
    graph: Graph, standing: Standing, clock: Clock, *, simulated: bool, requests: int, tell: tuple[OnChange, OnEvent]
) -> DeployReport | None:
    """How the deploy ended, its checks judged from the same look; None when one fails and has to be followed."""
    checks = acceptance.evaluate(
        Facts(
            graph=graph,
            judgements=judged(standing.rollout),
            objects=standing.objects,
            pods=standing.pods,
            health={},
            edge=None,
            simulated=simulated,
            measured=False,
        )
    )
    if not acceptance.passed(checks):
        return None
    with ThreadPoolExecutor(1) as nobody:
        Scribe(clock, None, *tell, nobody).finish(standing.rollout, journal=False)
    ended = result(standing.rollout, requests=requests)
    return DeployReport(standing.plan, ended, VerifyReport(checks, clock.now() - standing.began))


def _facts(graph: Graph, requests: Requests, quick: Quick) -> ClusterFacts:
    """An Ingress is not ready without its class; for all else that stands, classes and nodes do not matter."""
    if not any(node.ref.kind == "Ingress" for node in graph.values()):
        return quick.known
    facts = with_brought(quick.facts(), graph, requests)
    preflight.classes_exist(graph, facts)
    return facts


def _judged(graph: Graph, decided: Plan, seen: Snapshot, facts: ClusterFacts, at: float) -> Standing | None:
    """Every node judged by the rules of any rollout; None unless the rollout is over before it began."""
    lives = seen.structs()
    rollout, commands = machine.begin(
        graph, decided, Options(), at, facts=facts, snapshot=lives, synced=seen.kinds | frozenset(STREAMED_KINDS)
    )
    if commands != [Finish(Outcome.SUCCEEDED)]:
        return None
    return Standing(decided, rollout, seen.objects, [live for live in lives if isinstance(live, Pod)], at)


def _is_calm(standing: Standing) -> bool:
    """A Deployment's pods are found through its ReplicaSets, which were not read: so none of them may have a story."""
    return all(is_calm(pod, standing.began) for pod in standing.pods if _is_of_a_set(pod))


def _is_of_a_set(pod: Pod) -> bool:
    return any(owner.kind == "ReplicaSet" for owner in pod.metadata.owner_references)
