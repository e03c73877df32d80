"""Deploys and rollbacks from first to last, in memory: a small shop, and a site that outlives the tool."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bakery_ops.model.builder import build_graph
from bakery_ops.model.contract import FENCE
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.recorded import digest, recorded
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.releases import PENDING, PREFIX, Contents, Known, Migration, Release
from bakery_ops.rules.reports import DeployReport
from bakery_ops.rules.rollback import chosen
from bakery_ops.workflows.deploy import deploy
from bakery_ops.workflows.deploy_ports import Ports, Watchers, Wishes, as_planned
from bakery_ops.workflows.releases import Recording, parsed
from bakery_ops.workflows.rollback import Rollback
from tests.fakes import FakeCluster, FakeInbox, FakeJournal, InlineExecutor
from tests.simulation import Simulation

SHOP = "shop"
SECRET = "czNjcmV0LWNhbmFyeQ=="
CONFIG = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {greeting: GREETING}}"
VALUES = "{apiVersion: v1, kind: Secret, metadata: {name: login}, data: {password: PASSWORD}}"
WORKLOAD = """
apiVersion: KIND
metadata: {name: NAME}
spec:
  SELECTOR
  template:
    metadata: {labels: {app: NAME}}
    spec: {restartPolicy: POLICY, containers: [{name: app, image: "IMAGE"}]}
"""


def deployment(name: str, image: str) -> str:
    words = {
        "KIND": "apps/v1\nkind: Deployment", "NAME": name, "IMAGE": image, "POLICY": "Always",
        "SELECTOR": f"selector: {{matchLabels: {{app: {name}}}}}",
    }  # fmt: skip
    return filled(WORKLOAD, words)


def job(name: str, image: str) -> str:
    words = {"KIND": "batch/v1\nkind: Job", "NAME": name, "IMAGE": image, "POLICY": "Never", "SELECTOR": ""}
    return filled(WORKLOAD, words)


def filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def shop(
    web: str = "web:1", migrate: str = "migrate:1", *more: str, greeting: str = "hi", password: str = SECRET
) -> tuple[Manifest, ...]:
    """A service with its settings, login and migration; `more` objects as YAML."""
    plain = [filled(CONFIG, {"GREETING": greeting}), filled(VALUES, {"PASSWORD": password})]
    text = "\n---\n".join([*plain, job("migrate", migrate), deployment("web", web), *more])
    return load(text, "test", namespace=SHOP)


EXTRA = deployment("extra", "extra:1")
V1 = shop()
V2 = shop("web:2", "migrate:1", EXTRA, greeting="hello")
MIGRATED = shop("web:2", "migrate:2")


class FakeReleases:
    """Releases in memory; the pending one lies in the cluster too, where a deploy's own look finds it."""

    def __init__(self, cluster: FakeCluster, namespace: str) -> None:
        self.kept: dict[int, Contents] = {}
        self.calls: list[str] = []
        self._begun: Contents | None = None
        self._cluster = cluster
        self._ref = ObjectRef("", "ConfigMap", namespace, PENDING)

    def known(self) -> Known:
        self.calls.append("known")
        numbered = sorted((each.release for each in self.kept.values()), key=lambda each: -each.number)
        return Known(tuple(numbered), self._begun.release if self._begun else None)

    def read(self, number: int) -> Contents:
        self.calls.append("read")
        return self.kept[number]

    def pending(self) -> Contents | None:
        self.calls.append("pending")
        return self._begun

    def begin(self, text: str, facts: Mapping[str, str]) -> None:
        self.calls.append("begin")
        contents = Contents(self._release(0, text, facts), text, {})
        if self._begun is not None and self._begun.release.facts == contents.release.facts:
            return
        self._cluster.about_to_mutate()
        self._begun = contents
        metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
        self._cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        self._cluster.mutated("begin", self._ref)

    def finish(self) -> None:
        self.calls.append("finish")
        if self._begun is not None:
            self._cluster.about_to_mutate()
            self._begun = None
            self._cluster.vanish(self._ref)
            self._cluster.mutated("finish", self._ref)

    def record(self, text: str, facts: Mapping[str, str], migrations: Mapping[str, Migration]) -> int:
        self.calls.append("record")
        newest = self.kept.get(max(self.kept, default=0))
        if newest is not None and (newest.text, newest.migrations) == (text, migrations):
            return newest.release.number
        number = max(self.kept, default=0) + 1
        self._cluster.about_to_mutate()
        self.kept[number] = Contents(self._release(number, text, facts), text, migrations)
        self._cluster.mutated("record", self._ref._replace(name=f"{PREFIX}{number}"))
        return number

    def _release(self, number: int, text: str, facts: Mapping[str, str]) -> Release:
        return Release(number, self._cluster.clock.now(), {**facts, "digest": digest(text)})


class Held:
    transitions = 1
    is_held = True

    def __init__(self, entered: list[str]) -> None:
        self.enter = entered.append


class Site:
    """A cluster with its records, which outlives the runs of the tool."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.simulation = Simulation(self.cluster)
        self.journal = FakeJournal(self.cluster)
        self.releases = FakeReleases(self.cluster, SHOP)
        self.refs: Sequence[ObjectRef] = ()
        self.said: list[str] = []
        self.phases: list[str] = []  # of the lock
        self.unfollowed: list[str] = []
        self.built: list[str] = []
        self.proved: set[str] = set()

    # The inventory's two methods.

    def read(self, seen: Mapping[ObjectRef, Any] | None = None) -> Sequence[ObjectRef]:
        return self.refs

    def write(self, refs: Sequence[ObjectRef]) -> None:
        self.refs = tuple(refs)

    def deploy(self, manifests: Sequence[Manifest], **wishes: Any) -> DeployReport:
        only = {"only": ", ".join(wishes["only"])} if wishes.get("only") else {}
        return self._run(manifests, only, as_planned, Wishes(simulated=True, **wishes))

    def deploy_by(self, engine: Callable[[], None], manifests: Sequence[Manifest]) -> DeployReport:
        """As with `--engine skaffold`: `engine` applies everything."""
        return self._run(manifests, {}, as_planned, Wishes(simulated=True), engine)

    def rollback(self, number: int | None = None, *, accept: bool = False, dry_run: bool = False) -> DeployReport:
        target = chosen(self.releases.known(), number, SHOP)
        contents = self.releases.read(target.number)
        amend = Rollback(contents, self.releases, accept, self.said.append).amend
        errand = {"rollback": str(target.number)}
        return self._run(parsed(contents), errand, amend, Wishes(simulated=True, dry_run=dry_run))

    def _run(
        self,
        manifests: Sequence[Manifest],
        errand: Mapping[str, str],
        amend: Any,
        wishes: Wishes,
        engine: Callable[[], None] | None = None,
    ) -> DeployReport:
        cluster, graph = self.cluster, build_graph(manifests)
        cluster.stop()  # a dead process follows nothing
        recording = Recording(
            self.releases, cluster, self.journal, graph, SHOP, recorded(manifests), dict(errand), self.said.append
        )
        ports = Ports(
            namespace=SHOP,
            requests=cluster,
            mirror=cluster,
            clock=cluster.clock,
            inbox=FakeInbox(cluster),
            journal=self.journal,
            inventory=self,
            lock=self._lock,
            ensure_credentials=lambda graph: (),
            ensure_images=self.built.extend,
            facts=ClusterFacts,
            prove_capacity=self.proved.update,
            request_count=lambda: 0,
            say=self.said.append,
            unfollowed=lambda graph: self.unfollowed,
            amend=amend,
            apply_everything=engine,
            recording=recording,
            pools=lambda width, name: InlineExecutor(),
        )
        return deploy(graph, wishes, ports, Watchers())

    @contextmanager
    def _lock(self) -> Iterator[Held]:
        yield Held(self.phases)

    def image(self, name: str, kind: str = "Deployment") -> str:
        group = "batch" if kind == "Job" else "apps"
        body = self.cluster.body(ObjectRef(group, kind, SHOP, name))
        return str(body["spec"]["template"]["spec"]["containers"][0]["image"])

    def dump(self) -> dict[str, Any]:
        """What the cluster holds of what was wanted, without identities, versions and fences."""
        found = {}
        for ref, body in self.cluster.bodies().items():
            if ref.kind in ("ConfigMap", "Secret", "Deployment", "Job", "Namespace"):
                annotations = {**(body["metadata"].get("annotations") or {}), FENCE: ""}
                found[str(ref)] = (annotations, body.get("spec"), body.get("data"))
        return found

    def mutations(self) -> list[str]:
        return [verb for verb, _ in self.cluster.mutations]
