"""A platform that stands is told from one look, and whatever is open sends the deploy the long way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from bakery_ops.model.contract import Stage
from bakery_ops.model.graph import Graph
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.times import format_time
from bakery_ops.rules.acceptance import CheckState
from bakery_ops.rules.plan import JournalEntry, plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.releases import PENDING
from bakery_ops.rules.reports import DeployReport
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.rules.rollout.options import Options
from bakery_ops.workflows import unchanged
from bakery_ops.workflows.deploy import deploy
from bakery_ops.workflows.deploy_ports import Ports, Watchers, Wishes
from bakery_ops.workflows.rollout import World, drive
from bakery_ops.workflows.unchanged import Quick, Standing
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor
from tests.rollouts import node
from tests.simulation import Simulation

PODS = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
SPEC = {"replicas": 1, "template": PODS}
JOB = node("seed", "Job", Stage.SEED, spec={"template": PODS})
GRAPH = Graph(
    [
        node("db", "StatefulSet", Stage.DATABASE, spec={**SPEC, "volumeClaimTemplates": [{"metadata": {"name": "d"}}]}),
        node("web", "Deployment", Stage.MICROSERVICE, needs=["db"], spec=SPEC),
        node("service/web", "Service", relies=["web"], spec={"selector": {"app": "web"}, "clusterIP": "10.0.0.1"}),
        JOB,
    ]
)
WEB = ObjectRef("apps", "Deployment", "bakery-ia", "web")


class Kept:
    """A journal or an inventory that was listed with everything else."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def read(self, seen: Mapping[ObjectRef, Any] | None = None) -> Any:
        assert seen is not None, "the ConfigMaps were listed, and this would cost a request more"
        return self.content


class Platform:
    """Deployed once, a minute ago."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        Simulation(self.cluster)
        journal = FakeJournal()
        world = World(
            self.cluster, self.cluster, self.cluster.clock, FakeInbox(self.cluster), journal, InlineExecutor(),
            InlineExecutor(),
        )  # fmt: skip
        assert drive(GRAPH, plan(GRAPH, {}), Options(), world).outcome is Outcome.SUCCEEDED
        self.cluster.clock.sleep(60)
        self.journal: dict[str, JournalEntry] = journal.entries
        self.inventory: list[ObjectRef] = [node.ref for node in GRAPH.values()]
        self.is_free = True
        self.credentials: Sequence[ObjectRef] | None = ()
        self.cluster.calls.clear()
        self.cluster.mutations.clear()

    @property
    def quick(self) -> Quick:
        return Quick("bakery-ia", lambda: self.is_free, lambda: self.credentials, ClusterFacts, ClusterFacts())

    def look(self) -> Standing | None:
        cluster = self.cluster
        return unchanged.look(GRAPH, cluster, cluster.clock, Kept(self.journal), Kept(self.inventory), self.quick)

    def report(self) -> DeployReport | None:
        standing = self.look()
        assert standing is not None
        told = (lambda view: None, lambda event: None)
        return unchanged.report(GRAPH, standing, self.cluster.clock, simulated=False, requests=7, tell=told)

    def pod(self, workload: str) -> ObjectRef:
        return next(ref for ref in self.cluster.stored if ref.kind == "Pod" and ref.name.startswith(workload))

    def container(self, workload: str, **changes: Any) -> None:
        ref = self.pod(workload)
        statuses = self.cluster.body(ref)["status"]["containerStatuses"]
        self.cluster.set_status(ref, containerStatuses=[{**statuses[0], **changes}])


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_a_platform_that_stands_costs_one_list_per_kind_and_no_write(platform: Platform) -> None:
    standing = platform.look()
    assert standing is not None
    assert standing.plan.is_empty
    assert {state.verdict.value for state in standing.rollout.nodes.values()} == {"ready"}
    listed = {"StatefulSet", "Deployment", "Service", "Job", "Pod", "EndpointSlice", "ConfigMap"}
    assert platform.cluster.calls == [("list", None)] * len(listed)
    assert platform.cluster.mutations == []


def test_its_report_says_which_checks_were_skipped_and_why(platform: Platform) -> None:
    report = platform.report()
    assert report is not None
    assert report.rollout is not None
    assert report.verified is not None
    assert (report.outcome, report.rollout.requests) == (Outcome.SUCCEEDED, 7)
    checks = {check.name: check for check in report.verified.results}
    assert checks["workloads-ready"].state is CheckState.PASSED
    assert checks["nothing-drifted"].state is CheckState.PASSED
    for name in ("health", "frontend", "volumes-bound"):
        assert checks[name].state is CheckState.SKIPPED
        assert "nothing changed" in checks[name].message
        assert "invoke verify" in checks[name].message


def locked(platform: Platform) -> None:
    platform.is_free = False


def something_begun(platform: Platform) -> None:
    """An earlier run died after its last write and before it was recorded."""
    metadata = {"name": PENDING, "namespace": "bakery-ia"}
    platform.cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


def secret_missing(platform: Platform) -> None:
    platform.credentials = None


def not_in_the_inventory(platform: Platform) -> None:
    platform.inventory.pop()


def orphan_of_a_kind_the_render_lost(platform: Platform) -> None:
    platform.inventory.append(ObjectRef("policy", "PodDisruptionBudget", "bakery-ia", "web"))


def job_not_recorded(platform: Platform) -> None:
    del platform.journal["seed"]


def changed_by_a_human(platform: Platform) -> None:
    platform.cluster.change(WEB, lambda body: body["spec"].update(replicas=3), "kubectl-edit")


def deleted_by_a_human(platform: Platform) -> None:
    platform.cluster.vanish(GRAPH["service/web"].ref)


def not_available(platform: Platform) -> None:
    platform.cluster.set_status(WEB, availableReplicas=0)


def no_endpoint(platform: Platform) -> None:
    for ref in [ref for ref in platform.cluster.stored if ref.kind == "EndpointSlice"]:
        platform.cluster.vanish(ref)


def crashed_a_moment_ago(platform: Platform) -> None:
    """Without a readiness probe the counters say available between two crashes."""
    now = format_time(platform.cluster.clock.now() - 2)
    end = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": now}}
    platform.container("web", restartCount=3, lastState=end, state={"running": {"startedAt": now}})


def database_crashed_a_moment_ago(platform: Platform) -> None:
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    platform.container("db", restartCount=3, ready=False, state=state)


@pytest.mark.parametrize(
    "happened",
    [
        locked,
        something_begun,
        secret_missing,
        not_in_the_inventory,
        orphan_of_a_kind_the_render_lost,
        job_not_recorded,
        changed_by_a_human,
        deleted_by_a_human,
        not_available,
        no_endpoint,
        crashed_a_moment_ago,
        database_crashed_a_moment_ago,
    ],
)
def test_whatever_is_open_sends_the_deploy_the_long_way(
    platform: Platform, happened: Callable[[Platform], None]
) -> None:
    happened(platform)
    platform.cluster.mutations.clear()
    assert platform.look() is None
    assert platform.cluster.mutations == []


class LongWayError(Exception):
    """The deploy went on to what only the long way asks for."""


def deployed(platform: Platform, ensure_images: Callable[[Sequence[str]], None], **wishes: Any) -> DeployReport:
    def refuse(*_: object) -> Any:
        raise LongWayError

    cluster = platform.cluster
    ports = Ports(
        namespace="bakery-ia", requests=cluster, mirror=cluster, clock=cluster.clock, inbox=FakeInbox(cluster),
        journal=Kept(platform.journal), inventory=Kept(platform.inventory), lock=refuse, ensure_credentials=refuse,  # type: ignore[arg-type]
        ensure_images=ensure_images, facts=refuse, prove_capacity=refuse, request_count=lambda: 7,
        say=lambda line: None, quick=platform.quick,
    )  # fmt: skip
    return deploy(GRAPH, Wishes(**wishes), ports, Watchers())


def test_images_are_made_sure_of_and_the_deploy_ends_there(platform: Platform) -> None:
    asked: list[str] = []
    report = deployed(platform, asked.extend)
    assert (report.outcome, asked) == (Outcome.SUCCEEDED, ["app:1"])
    assert platform.cluster.mutations == []


def test_a_look_that_grew_old_while_images_were_built_is_taken_again(platform: Platform) -> None:
    def build(names: Sequence[str]) -> None:
        platform.cluster.clock.sleep(300)

    assert deployed(platform, build).outcome is Outcome.SUCCEEDED

    def build_and_break(names: Sequence[str]) -> None:
        build(names)
        not_available(platform)

    with pytest.raises(LongWayError):
        deployed(platform, build_and_break)


@pytest.mark.parametrize("wishes", [{"dry_run": True}, {"only": ("web",)}, {"rerun": ("seed",)}])
def test_who_asks_for_more_than_a_look_gets_it(platform: Platform, wishes: dict[str, Any]) -> None:
    with pytest.raises(LongWayError):
        deployed(platform, lambda names: None, **wishes)


def test_a_restart_of_long_ago_is_told_and_does_not_send_it_the_long_way(platform: Platform) -> None:
    platform.container("web", restartCount=2)
    platform.cluster.clock.sleep(60)
    report = platform.report()
    assert report is not None
    assert report.verified is not None
    restarts = next(check for check in report.verified.results if check.name == "no-oom-kills")
    assert restarts.state is CheckState.WARNING


def test_a_check_that_fails_is_followed_the_long_way(platform: Platform) -> None:
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": format_time(1)}}
    platform.container("web", restartCount=1, lastState=killed)
    platform.cluster.clock.sleep(60)
    assert platform.report() is None
