"""One look at the cluster: what is listed for it, and what is not."""

from bakery_ops.model.graph import Graph
from bakery_ops.model.live import Generic
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.plan import plan
from bakery_ops.rules.readiness.observation import ClusterFacts
from bakery_ops.rules.verdict import Verdict
from bakery_ops.workflows.observe import MISSING, gone, judge_now, snapshot, with_orphans
from tests.fakes import FakeCluster
from tests.reports import shop
from tests.rollouts import node
from tests.simulation import BAD_IMAGE, Behaviour, Simulation

WEB = node("web")
GONE = ObjectRef("policy", "PodDisruptionBudget", "bakery-ia", "web")


def put(cluster, kind, name, api_version="v1", labels=None, namespace="bakery-ia"):
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    metadata["annotations"] = {"bakery-ia.dev/content-hash": "h"}
    return cluster.put({"apiVersion": api_version, "kind": kind, "metadata": metadata})


def test_the_last_object_of_a_kind_is_pruned_like_any_other():
    """Nobody would list a kind that the render has none of any more."""
    cluster = FakeCluster()
    put(cluster, "PodDisruptionBudget", "web", "policy/v1")
    inventory = [GONE, *(ObjectRef("", "ConfigMap", "bakery-ia", f"c{number}") for number in range(9))]
    graph = Graph([WEB])
    seen = with_orphans(cluster, snapshot(cluster, graph), inventory)
    assert [orphan.ref for orphan in plan(graph, seen.objects, inventory=inventory).prune] == [GONE]


def test_an_object_of_an_odd_shape_ends_no_look():
    """A stream reads it as far as it fits, and so does a look."""
    cluster = FakeCluster()
    odd = {"replicas": "three", "template": []}
    metadata = {"name": "web", "namespace": "bakery-ia", "uid": "u", "resourceVersion": "1"}
    cluster.put({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": odd})
    (found,) = snapshot(cluster, Graph([WEB])).structs()
    assert (found.metadata.name, type(found)) == ("web", Generic)


def pruned(cluster, inventory, *named):
    graph = Graph([WEB])
    inventory = [*inventory, *(ObjectRef("", "ConfigMap", "bakery-ia", f"c{number}") for number in range(9))]
    seen = with_orphans(cluster, snapshot(cluster, graph), inventory, named)
    return [orphan.ref for orphan in plan(graph, seen.objects, inventory=inventory, prune_kinds=named).prune]


def test_what_went_to_another_namespace_is_pruned_where_it_was():
    cluster = FakeCluster()
    put(cluster, "Deployment", "web", "apps/v1", namespace="before")
    old = WEB.ref._replace(namespace="before")
    assert pruned(cluster, [old]) == [old]


def test_the_last_secret_is_pruned_when_its_kind_is_named():
    cluster = FakeCluster()
    put(cluster, "Secret", "old")
    old = ObjectRef("", "Secret", "bakery-ia", "old")
    assert (pruned(cluster, [old]), pruned(cluster, [old], "Secret")) == ([], [old])


def test_what_others_have_deleted_is_known_to_be_gone():
    cluster = FakeCluster()
    put(cluster, "PodDisruptionBudget", "web", "policy/v1")
    lost, unlisted = GONE._replace(name="lost"), ObjectRef("", "Secret", "bakery-ia", "redis-tls")
    inventory = [GONE, lost, unlisted]
    assert gone(with_orphans(cluster, snapshot(cluster, Graph([WEB])), inventory), inventory) == {lost}


def test_secrets_of_the_inventory_are_not_listed_for_their_orphans():
    cluster = FakeCluster()
    seen = snapshot(cluster, Graph([WEB]))
    calls = list(cluster.calls)
    assert with_orphans(cluster, seen, [ObjectRef("", "Secret", "bakery-ia", "redis-tls"), WEB.ref]) == seen
    assert cluster.calls == calls


def test_earlier_releases_are_not_read():
    cluster = FakeCluster()
    put(cluster, "ConfigMap", "settings")
    put(cluster, "ConfigMap", "bakery-ops-release-1", labels={"bakery-ia.dev/release": "1"})
    seen = snapshot(cluster, Graph([WEB]), records="bakery-ia")
    assert [ref.name for ref in seen.objects] == ["settings"]


def test_our_own_records_are_read_where_they_are_kept_wherever_the_objects_live():
    """An inventory that was not seen would be taken for an empty one, and overwritten."""
    cluster = FakeCluster()
    kept = {"name": "bakery-ops-inventory", "namespace": "elsewhere"}
    cluster.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept})
    assert [ref.namespace for ref in snapshot(cluster, Graph([WEB]), records="elsewhere").objects] == ["elsewhere"]


def test_what_fails_now_is_named_as_a_cause_although_no_timer_has_run_out_on_it():
    cluster = FakeCluster()
    Simulation(cluster, {"db": Behaviour(fault=BAD_IMAGE)})
    graph = shop()
    for one in graph.values():
        cluster.apply(one.manifest)
    while cluster.next_at is not None:
        cluster.run_next()
    standing = judge_now(cluster, graph, cluster.clock, ClusterFacts(), done=lambda seen: ())
    assert standing.view.nodes["db"].verdict is Verdict.FAILING
    assert [cause.node for cause in standing.view.causes] == ["db"]


def test_what_was_never_deployed_is_no_cause():
    cluster = FakeCluster()
    standing = judge_now(cluster, shop(), cluster.clock, ClusterFacts(), done=lambda seen: ["seed"])
    assert standing.view.causes == ()
    told = {name: node.message for name, node in standing.view.nodes.items() if name != "seed"}
    assert set(told.values()) == {MISSING}, "nobody is bringing it, so it is not merely unseen yet"
    assert standing.judgements["db"].message == MISSING
    assert standing.judgements["seed"].message != MISSING, "its TTL has removed it"
