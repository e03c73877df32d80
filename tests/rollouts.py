"""Builders for rollout tests: nodes from a few words, objects that say their own verdict, a judge that believes them.

The stand-in judge makes the machine testable apart from the readiness rules: a test decides what each object "looks
like" and asks only what the machine makes of it.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import settings

from bakery_ops.model.content import content_hash
from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.model.live import LiveObject
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.rules.plan import Action, Plan, PruneStep, Step
from bakery_ops.rules.readiness.observation import Memory, Observation
from bakery_ops.rules.rollout import machine
from bakery_ops.rules.rollout.events import (
    Apply,
    ApplyAccepted,
    ApplyRejected,
    Command,
    Event,
    ObjectChanged,
    ReplaceJob,
    Synced,
    TimePassed,
    WakeAt,
)
from bakery_ops.rules.rollout.options import STREAMED_KINDS, Options
from bakery_ops.rules.rollout.state import Rollout
from bakery_ops.rules.verdict import Applied, Evidence, EvidenceClass, Judgement, Verdict
from bakery_ops.workflows.rollout_requests import live_object

START = 1_700_000_000.0


def runs(count: int) -> settings:
    """So many generated runs of a property; BAKERY_RUNS=10 in the environment makes it ten times as many."""
    return settings(max_examples=int(count * float(os.environ.get("BAKERY_RUNS", "1"))), deadline=None)


NAMESPACE = "bakery-ia"
_GROUPS = {
    "HorizontalPodAutoscaler": "autoscaling",
    "Deployment": "apps",
    "StatefulSet": "apps",
    "DaemonSet": "apps",
    "Job": "batch",
    "Ingress": "networking.k8s.io",
}
_versions = itertools.count(1)


def node(
    name: str,
    kind: str = "Deployment",
    stage: Stage = Stage.MICROSERVICE,
    *,
    needs: Iterable[str] = (),
    after: Iterable[str] = (),
    relies: Iterable[str] = (),
    waits: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Node:
    group = _GROUPS.get(kind, "")
    api_version = f"{group}/v1" if group else "v1"
    bare = name.rpartition("/")[2]
    body = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": bare, "namespace": NAMESPACE},
        "spec": dict(spec or {"replicas": 1}),
    }
    manifest = Manifest(ObjectRef(group, kind, NAMESPACE, bare), api_version, body, "test")
    return Node(name, manifest, stage, frozenset(needs), frozenset(after), frozenset(relies), waits or {})


def planned(graph: Graph, actions: Mapping[str, Action] | None = None, prune: Iterable[PruneStep] = ()) -> Plan:
    """APPLY for every node unless `actions` says otherwise."""
    chosen = actions or {}
    return Plan(
        {
            name: Step(name, chosen.get(name, Action.APPLY), "test", content_hash(graph[name].manifest), f"old-{name}")
            for name in graph
        },
        tuple(prune),
    )


def looks(of: Node, verdict: str = "ready", *, uid: str = "", **more: Any) -> LiveObject:
    """A live object of the node that says its own judgement. `more`: reason, message, waiting_for, progress, …"""
    told = json.dumps({"verdict": verdict, **more})
    body = {
        **of.manifest.body,
        "metadata": {
            **of.manifest.body["metadata"],
            "uid": uid or f"uid-{of.name}",
            "generation": 1,
            "resourceVersion": str(next(_versions)),
            "annotations": {"told": told},
        },
    }
    return live_object(body)


def believing(observation: Observation, memory: Memory) -> tuple[Judgement, Memory]:
    """The stand-in judge: what the object says of itself; unseen is Progressing."""
    if observation.live is None:
        return Judgement(Verdict.PROGRESSING, "not seen yet"), memory
    told = json.loads(observation.live.metadata.annotations.get("told", '{"verdict": "progressing"}'))
    verdict = Verdict(told["verdict"])
    evidence = (told_evidence(observation, told),) if verdict in (Verdict.FAILING, Verdict.FAILED) else ()
    if told.get("crashing"):
        if observation.dependencies_ready:
            evidence = (told_evidence(observation, {"reason": "CrashLoopBackOff", **told}),)
            verdict = Verdict.FAILED
        else:
            verdict = Verdict.BLOCKED
    return (
        Judgement(
            verdict,
            told.get("message", verdict.value),
            evidence,
            tuple(told.get("waiting_for", ())),
            held=told.get("held", False),
            wake_at=told.get("wake_at"),
            progress=told.get("progress"),
            warnings=tuple(told.get("warnings", ())),
            restarts={("pod", "app"): told.get("restarts", 0)},
        ),
        memory,
    )


def told_evidence(observation: Observation, told: Mapping[str, Any]) -> Evidence:
    names = tuple(ObjectRef("", "Secret", NAMESPACE, name) for name in told.get("names", ()))
    return Evidence(
        EvidenceClass.PERMANENT,
        told.get("reason", "Broken"),
        told.get("message", "it broke"),
        str(observation.node.ref),
        since=observation.now,
        names=names,
    )


class Table:
    """A machine on a table: the test plays cluster and clock by hand."""

    def __init__(
        self,
        *nodes: Node,
        options: Options | None = None,
        actions: Mapping[str, Action] | None = None,
        prune: Iterable[PruneStep] = (),
        snapshot: Iterable[LiveObject] = (),
        synced: Iterable[str] = STREAMED_KINDS,
    ) -> None:
        self.graph = Graph(nodes)
        self.now = START
        self.commands: list[Command] = []
        self.rollout: Rollout
        self.rollout, commands = machine.begin(
            self.graph,
            planned(self.graph, actions, prune),
            options or Options(),
            self.now,
            snapshot=snapshot,
            synced=synced,
            judge=believing,
        )
        self.commands += commands

    def tell(self, *events: Event) -> list[Command]:
        """Feed events one by one; returns (and keeps) the commands they led to."""
        found: list[Command] = []
        for event in events:
            found += machine.step(self.rollout, event)[1]
        self.commands += found
        return found

    def accept(self, name: str, **more: Any) -> list[Command]:
        """The server accepts the node's apply; `more` as in `looks`, progressing unless it says otherwise."""
        live = looks(self.graph[name], more.pop("verdict", "progressing"), **more)
        applied = Applied(live.metadata.uid, 1, content_hash(self.graph[name].manifest), self.now, True, True)
        return self.tell(ApplyAccepted(self.now, name, applied, live))

    def reject(
        self, name: str, reason: str = "Invalid", message: str = "no", *, unknown: bool = False
    ) -> list[Command]:
        return self.tell(ApplyRejected(self.now, name, reason, message, unknown))

    def see(self, name: str, verdict: str = "ready", **more: Any) -> list[Command]:
        return self.tell(ObjectChanged(self.now, looks(self.graph[name], verdict, **more)))

    def start(self, name: str, verdict: str = "ready", **more: Any) -> list[Command]:
        """Accept the apply and see the node with that verdict."""
        return self.accept(name, uid=more.get("uid", "")) + self.see(name, verdict, **more)

    def wait(self, seconds: float) -> list[Command]:
        """Let time pass in the machine's own steps: every wake-up it asked for is delivered when it is due."""
        end = self.now + seconds
        found: list[Command] = []
        while (due := self.rollout.timers.next) is not None and due <= end and self.rollout.outcome is None:
            self.now = max(self.now, due)
            found += self.tell(TimePassed(self.now))
        self.now = end
        return found + self.tell(TimePassed(self.now))

    def resync(self, kind: str) -> list[Command]:
        return self.tell(Synced(self.now, kind))

    @property
    def sent(self) -> list[str]:
        """Names of the nodes written so far, in order."""
        return [command.node for command in self.commands if isinstance(command, Apply | ReplaceJob)]

    def verdict(self, name: str) -> Verdict:
        return self.rollout.nodes[name].verdict


def names(commands: Iterable[Command]) -> list[str]:
    """The kinds of the commands, without the wake-ups."""
    return [type(command).__name__ for command in commands if not isinstance(command, WakeAt)]
