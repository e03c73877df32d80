"""Destroying a platform in memory: what goes, what stays, and that dying anywhere only means running it again."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from bakery_ops.credentials import Mint
from bakery_ops.errors import ClusterUnreachable, Locked, OperationFailed, TargetRefused
from bakery_ops.model.answer import Answer
from bakery_ops.model.content import stamped
from bakery_ops.model.contract import INVENTORY
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.model.secrets import SecretState, wanted
from bakery_ops.rules.plan import JournalEntry
from bakery_ops.rules.reports import Fate
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows import destroy as workflow
from bakery_ops.workflows import secrets
from bakery_ops.workflows.removing import Ports
from tests.fakes import FakeCluster, FakeInventory, FakeJournal, InlineExecutor, Killed

TEXT = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: auth-db, labels: {app.kubernetes.io/part-of: bakery-ia}}
spec:
  serviceName: auth-db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "db:1", envFrom: [{secretRef: {name: auth-db-credentials}}]}]}
  volumeClaimTemplates: [{metadata: {name: data}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: migration}
spec:
  template:
    metadata: {annotations: {bakery-ia.dev/waits-for: auth-db}}
    spec: {containers: [{name: m, image: "m:1"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {bakery-ia.dev/waits-for: migration}}
    spec: {containers: [{name: web, image: "web:1", envFrom: [{configMapRef: {name: settings}}]}]}
"""
MANIFESTS = load(TEXT, "test", namespace="shop")
NAMESPACE = ObjectRef("", "Namespace", "", "shop")
CLAIM = ObjectRef("", "PersistentVolumeClaim", "shop", "data-auth-db-0")
PASSWORD = ObjectRef("", "Secret", "shop", "auth-db-credentials")
WEB = ObjectRef("apps", "Deployment", "shop", "web")
SETTINGS = ObjectRef("", "ConfigMap", "shop", "settings")


class Site:
    """A deployed platform that outlives the tool."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.inventory = FakeInventory(self.cluster, NAMESPACE)
        self.journal = FakeJournal(self.cluster)
        self.said: list[str] = []
        self.locked = 0
        self.noted: list[tuple[bool, int]] = []  # whether data goes, and how many objects were there then
        self.deploy()
        self.cluster.mutations.clear()

    def deploy(self) -> None:
        specs = wanted(MANIFESTS)
        self.cluster.apply(stamped(MANIFESTS[0], "h"))
        self.inventory.write([*self.inventory.read(), *(each.ref for each in (*MANIFESTS, *specs))])
        self.credentials = secrets.ensure(self.cluster, Mint(self.cluster.clock.now), specs, say=self.said.append)
        for manifest in MANIFESTS:
            self.cluster.apply(stamped(manifest, "h"))
        if CLAIM not in self.cluster.stored:
            self.put("PersistentVolumeClaim", CLAIM.name)
        self.journal.record({"migration": JournalEntry("h", "u", "ready", 1.0)})

    def put(self, kind: str, name: str, **metadata: object) -> ObjectRef:
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop", **metadata}}
        return self.cluster.put(body)

    @contextmanager
    def lock(self):
        self.locked += 1
        yield self

    def contents(self, namespace: str):
        return [body for ref, body in self.cluster.bodies().items() if ref.namespace == namespace]

    def ports(self, **changes: object) -> Ports:
        ports = Ports(
            namespace="shop",
            requests=self.cluster,
            clock=self.cluster.clock,
            inventory=self.inventory,
            journal=self.journal,
            lock=self.lock,
            contents=self.contents,
            note_destroyed=lambda data: self.noted.append((data, len(self.cluster.stored))),
            elsewhere=dict,
            deleters=InlineExecutor(),
            say=self.said.append,
        )
        return replace(ports, **changes)

    def destroy(self, *, volumes: bool = False, **changes: object):
        ports = self.ports(**changes)
        decided = workflow.survey(ports, volumes=volumes)
        return workflow.destroy(decided, ports, volumes=volumes, deadline=600.0)

    def killed(self, number: int, cut: str, *, volumes: bool) -> bool:
        self.cluster.mutations.clear()
        self.cluster.kill_at = (number, cut)
        try:
            self.destroy(volumes=volumes)
        except Killed:
            return True
        finally:
            self.cluster.kill_at = None
        return False

    def remains(self):
        marked = {
            ref for ref, body in self.cluster.bodies().items() if INVENTORY in body["metadata"].get("annotations", {})
        }
        return set(self.cluster.stored), marked, self.inventory.read(), dict(self.journal.entries)


def fates(report):
    return {row.ref: row.fate for row in report.rows}


def test_a_finished_destroy_leaves_data_and_the_inventory_names_exactly_what_is_left():
    site = Site()
    report = site.destroy()
    assert report.outcome is Outcome.SUCCEEDED
    assert set(site.cluster.stored) == {NAMESPACE, CLAIM, PASSWORD}
    assert set(site.inventory.refs) == {NAMESPACE, CLAIM, PASSWORD}
    assert {ref for ref, fate in fates(report).items() if fate is Fate.KEPT} == {NAMESPACE, CLAIM, PASSWORD}
    assert site.journal.entries == {}


@pytest.mark.parametrize("volumes", [False, True])
def test_that_no_release_is_live_any_more_is_noted_before_the_first_deletion(volumes):
    site = Site()
    before = len(site.cluster.stored)
    site.destroy(volumes=volumes)
    site.destroy(volumes=volumes)
    assert site.noted == [(volumes, before)]


def test_a_later_deploy_keeps_the_passwords_of_the_volumes_that_stayed():
    site = Site()
    before = site.cluster.body(PASSWORD)["data"]
    site.destroy()
    site.deploy()
    assert {row.state for row in site.credentials.rows} == {SecretState.PRESENT}
    assert site.cluster.body(PASSWORD)["data"] == before


def test_with_volumes_nothing_is_left():
    site = Site()
    assert site.destroy(volumes=True).outcome is Outcome.SUCCEEDED
    assert set(site.cluster.stored) == set()


def test_volumes_can_still_be_removed_after_a_destroy_that_kept_them():
    site = Site()
    site.destroy()
    assert site.destroy(volumes=True).outcome is Outcome.SUCCEEDED
    assert set(site.cluster.stored) == set()


def test_a_second_destroy_changes_nothing_and_needs_no_lock():
    site = Site()
    site.destroy()
    site.cluster.mutations.clear()
    locked = site.locked
    assert site.destroy().outcome is Outcome.SUCCEEDED
    assert (site.cluster.mutations, site.locked) == ([], locked)


@pytest.mark.parametrize("volumes", [False, True], ids=["keeping data", "with volumes"])
def test_killed_at_any_write_the_same_command_ends_where_an_undisturbed_one_does(volumes):
    undisturbed = Site()
    undisturbed.destroy(volumes=volumes)
    total = len(undisturbed.cluster.mutations)
    assert total > 5
    for number in range(1, total + 1):
        for cut in ("before", "after"):
            site = Site()
            if (number, cut) == (total, "after"):
                continue
            assert site.killed(number, cut, volumes=volumes), (number, cut)
            ours = set(site.cluster.stored) - {NAMESPACE}
            assert ours <= {*site.inventory.refs, CLAIM}, (number, cut)
            assert site.destroy(volumes=volumes).outcome is Outcome.SUCCEEDED
            assert site.remains() == undisturbed.remains(), (number, cut)


def test_what_hangs_is_named_with_its_finalizers_and_what_it_needs_is_left_alone():
    site = Site()
    site.cluster.change(WEB, lambda body: body["metadata"].update(finalizers=["example.com/never"]))
    report = site.destroy()
    assert report.outcome is Outcome.TIMED_OUT
    (row,) = report.of(Fate.HANGING)
    assert (row.ref, "example.com/never" in row.why) == (WEB, True)
    assert [line for line in site.said if "example.com/never" in line], "nothing was said while it waited"
    assert fates(report)[SETTINGS] is Fate.SKIPPED
    assert set(site.inventory.refs) >= {WEB, SETTINGS}
    site.cluster.vanish(WEB)
    assert site.destroy().outcome is Outcome.SUCCEEDED


def test_a_workload_that_hangs_is_explained_by_the_pods_that_do_not_end():
    site = Site()
    site.cluster.change(WEB, lambda body: body["metadata"].update(finalizers=["foregroundDeletion"]))
    pod = site.put("Pod", "web-1", labels={"app": "web"}, finalizers=["example.com/never"])
    site.cluster.change(pod, lambda body: body.update(spec={"nodeName": "n1"}))
    report = site.destroy()
    (row,) = report.of(Fate.HANGING)
    assert row.why.startswith("its pods have not ended: pod/web-1 on node n1")
    waits = [line for line in site.said if line.startswith("still waiting for deployment/web (its pods have not ended")]
    assert 10 < len(waits) < 20, "a sign of life every half minute of ten"


def test_what_is_being_deleted_already_is_noted_before_anything_is_asked():
    site = Site()
    gone_since = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/never"]}
    site.cluster.change(SETTINGS, lambda body: body["metadata"].update(gone_since))
    assert workflow.survey(site.ports(), volumes=False).notes == (
        "configmap/settings is being deleted since 2026-01-01T00:00:00Z: waits for its finalizers example.com/never",
    )


def test_a_refused_deletion_stops_before_what_the_object_needs():
    site = Site()
    site.cluster.fail("delete", WEB, Answer(403, {}, "Forbidden", "no"))
    report = site.destroy()
    assert report.outcome is Outcome.FAILED
    assert report.of(Fate.REFUSED)[0].why == "Forbidden: no"
    assert SETTINGS in site.cluster.stored


def test_an_api_server_that_is_away_leaves_the_outcome_unknown_and_a_rerun_completes():
    site = Site()
    site.cluster.fail("read", WEB, ClusterUnreachable("away"))
    report = site.destroy()
    assert (report.outcome, fates(report)[WEB]) == (Outcome.UNREACHABLE, Fate.UNKNOWN)
    assert WEB in site.inventory.refs
    assert site.destroy().outcome is Outcome.SUCCEEDED


def test_what_was_removed_is_reported_when_the_api_server_stays_away():
    """I5: the inventory could not be corrected either, and that is said."""
    site = Site()
    site.cluster.fail("read", WEB, ClusterUnreachable("away"))
    report = site.destroy(inventory=Unwritable(site.inventory))
    assert (report.outcome, fates(report)[WEB], fates(report)[SETTINGS]) == (
        Outcome.UNREACHABLE,
        Fate.UNKNOWN,
        Fate.SKIPPED,
    )
    assert [note for note in report.notes if "inventory" in note and "away" in note]
    assert report.notes[-1] in site.said
    assert site.destroy().outcome is Outcome.SUCCEEDED


def test_a_destroy_whose_inventory_could_not_be_corrected_is_no_success():
    site = Site()
    report = site.destroy(inventory=Unwritable(site.inventory))
    assert report.outcome is Outcome.UNREACHABLE
    assert len(report.of(Fate.REMOVED)) > 3
    assert site.destroy().outcome is Outcome.SUCCEEDED


class Unwritable:
    """An inventory that can be read and not written: what `destroy` writes at its end is lost."""

    def __init__(self, inventory: FakeInventory) -> None:
        self.read = inventory.read
        self._adopted = False
        self._write = inventory.write

    def write(self, refs):
        if self._adopted:
            raise ClusterUnreachable("away")
        self._adopted = True  # the claims are adopted before the first deletion
        self._write(refs)


def test_a_lock_that_is_lost_ends_a_destroy_with_a_report_of_what_went():
    site = Site()
    site.cluster.fail("delete", ObjectRef("apps", "StatefulSet", "shop", "auth-db"), Locked("the lock was lost"))
    report = site.destroy()
    assert report.outcome is Outcome.LOCK_LOST
    assert fates(report)[WEB] is Fate.REMOVED
    (row,) = [row for row in report.of(Fate.SKIPPED) if row.why]
    assert (row.ref.name, row.why) == ("auth-db", "the lock was lost")
    assert WEB in site.inventory.refs, "it is the other run's to write now"


@pytest.mark.parametrize("call", ["delete", "read"])
def test_a_server_that_cannot_go_on_ends_a_destroy_with_a_report_of_what_went(call):
    site = Site()
    site.cluster.fail(call, WEB, OperationFailed("its etcd is out of space"))
    report = site.destroy()
    (row,) = report.of(Fate.REFUSED, Fate.UNKNOWN)
    assert (row.ref, row.why) == (WEB, "its etcd is out of space")
    assert report.outcome in (Outcome.FAILED, Outcome.UNREACHABLE)


def test_an_object_made_anew_under_the_same_name_is_not_deleted():
    site = Site()
    site.cluster.fail("delete", WEB, Answer(409, {}, "Conflict", "the UID in the precondition does not match"))
    assert fates(site.destroy())[WEB] is Fate.REFUSED
    assert WEB in site.cluster.stored


def test_more_than_was_shown_is_never_taken():
    site = Site()
    ports = site.ports()
    shown = workflow.survey(ports, volumes=False)
    extra = load("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n", "test", namespace="shop")[0]
    site.cluster.apply(stamped(extra, "h"))
    site.inventory.write([*site.inventory.refs, extra.ref])
    site.cluster.mutations.clear()
    with pytest.raises(TargetRefused, match="1 more object would go"):
        workflow.destroy(shown, ports, volumes=False, deadline=600.0)
    assert site.cluster.mutations == []


def test_a_strangers_object_keeps_the_namespace():
    site = Site()
    theirs = site.put("ConfigMap", "theirs")
    report = site.destroy(volumes=True)
    assert report.outcome is Outcome.SUCCEEDED
    assert set(site.cluster.stored) == {NAMESPACE, theirs}
    assert site.inventory.refs == (NAMESPACE,)


def test_a_namespace_that_cannot_be_looked_through_stays():
    def refused(namespace: str):
        raise OperationFailed("forbidden")

    site = Site()
    site.destroy(volumes=True, contents=refused)
    assert set(site.cluster.stored) == {NAMESPACE}


def test_a_namespace_that_is_being_deleted_already_is_waited_for_without_a_lock():
    site = Site()
    site.cluster.change(NAMESPACE, lambda body: body["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z"))
    site.cluster.stored[NAMESPACE].body["status"] = {
        "conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "True", "reason": "Down", "message": "m"}
        ]
    }
    report = site.destroy()
    assert (report.outcome, site.locked) == (Outcome.TIMED_OUT, 0)
    assert report.of(Fate.HANGING)[0].why == "Down: m"


def test_secrets_never_reach_what_is_said():
    site = Site()
    values = [str(value) for value in site.cluster.body(PASSWORD)["data"].values()]
    report = site.destroy(volumes=True)
    assert not [value for value in values if value in f"{site.said}{report}"]
