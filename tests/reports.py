"""Reports to test with: from a deploy of a small simulated platform, and one whose every text is hostile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph, Node
from bakery_ops.report import schema
from bakery_ops.report.deploys import document
from bakery_ops.rules.acceptance import CheckResult, CheckState
from bakery_ops.rules.next_step import Address
from bakery_ops.rules.plan import plan
from bakery_ops.rules.reports import DeployReport, Run, VerifyReport
from bakery_ops.rules.rollout.options import Options
from bakery_ops.rules.rollout.view import RolloutView
from bakery_ops.workflows.rollout import World, drive
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor
from tests.rollouts import node
from tests.simulation import Behaviour, Simulation

RUN = Run("20261125T132024-9943", "dev", "k8s/overlays/dev", Address("minikube"), 42.0, 0.0123)

HOSTILE = "\x1b[31m<script>alert('x')</script>[/bold]\r\n::error::owned ##[error]no ]]> `|\x9b2J\u202e\\\"&"


class Told(NamedTuple):
    """A finished deploy, and all that was told while it ran."""

    report: DeployReport
    facts: list[Mapping[str, Any]]
    recording: list[Mapping[str, Any]]
    views: list[RolloutView]

    @property
    def document(self) -> schema.Deploy:
        return document(self.report, RUN)


def shop(*more: Node) -> Graph:
    """db -> migration -> web -> seed, and redis beside them."""

    def workload(name: str, kind: str, stage: Stage, *needs: str) -> Any:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
        spec = {"template": template} if kind == "Job" else {"replicas": 1, "template": template}
        return node(name, kind, stage, needs=needs, spec=spec)

    return Graph(
        [
            workload("redis", "StatefulSet", Stage.INFRASTRUCTURE),
            workload("db", "StatefulSet", Stage.DATABASE),
            workload("migration", "Job", Stage.MIGRATION, "db"),
            workload("web", "Deployment", Stage.MICROSERVICE, "migration", "redis"),
            workload("seed", "Job", Stage.SEED, "web"),
            *more,
        ]
    )


def deployed(
    behaviours: Mapping[str, Behaviour] | None = None, log: tuple[str, ...] = ("it broke",), more: tuple[Node, ...] = ()
) -> Told:
    """One deploy of the shop in virtual time; `log` is what every container printed."""
    cluster = FakeCluster()
    Simulation(cluster, behaviours)
    cluster.log_lines = _EveryLog(log)
    graph, facts, lines = shop(*more), [], []
    pool = InlineExecutor()
    world = World(cluster, cluster, cluster.clock, FakeInbox(cluster), FakeJournal(cluster), pool, pool)
    decided = plan(graph, cluster.bodies(), {})
    views: list[RolloutView] = []
    ended = drive(
        graph,
        decided,
        Options(),
        world,
        on_event=facts.append,
        on_record=lines.append,
        on_change=views.append,
    )
    checks = (CheckResult("workloads-ready", CheckState.PASSED, "3 of 3 workloads ready"),)
    verified = VerifyReport(checks, 0.1) if ended.outcome.value == "succeeded" else None
    return Told(DeployReport(decided, ended, verified), facts, lines, views)


class _EveryLog(dict):  # type: ignore[type-arg]
    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines

    def get(self, _key: object, _default: object = None) -> tuple[str, ...]:
        return self._lines


def hostile(text: str = HOSTILE) -> schema.Deploy:
    """A report in which every text that can come from a cluster or a manifest is `text`."""
    cause = schema.Cause(
        sentence=text,
        node=text,
        state=text,
        reason=text,
        message=text,
        blocks=(text,),
        evidence=(schema.Evidence(subject=text, container=text, reason=text, message=text),),
        events=(schema.Event(at=1.0, subject=text, reason=text, message=text, times=2),),
        logs=(schema.Log(pod=text, container=text, previous=True, lines=(text, text)),),
        source=text,
        next=text,
    )
    stage = schema.Stage(
        stage="microservice", title="services", objects=1, applied=1, began_at=0.0, seconds=5.0, slowest=text
    )
    failed = schema.Node(
        name=text,
        kind=text,
        stage="microservice",
        status="failed",
        verdict="failed",
        message=text,
        workload=True,
        needs=(),
        sent_at=1.0,
        scheduled_at=2.0,
        initialized_at=3.0,
        ready_at=None,
        ready_after=None,
        restarts=3,
        source=text,
    )
    return schema.Deploy(
        run=text,
        profile=text,
        overlay=text,
        context=text,
        outcome="failed",
        headline=text,
        started="2026-11-25T13:20:25Z",
        seconds=10.0,
        total_seconds=12.0,
        requests=5,
        refusal=(text, text),
        changes=(schema.Change(node=text, action="apply", reason=text),),
        causes=(cause,),
        path=(schema.Step(node=text, seconds=9.0, saves=9.0),),
        stages=(stage,),
        nodes=(failed,),
        warnings=(text,),
        checks=(schema.Check(name=text, state="failed", message=text, evidence=(text,), remedy=text),),
    )
