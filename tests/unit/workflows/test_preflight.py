"""What the render refers to and does not hold is asked for by name, and nothing of it is read."""

from contextlib import nullcontext

import pytest

from bakery_ops.errors import Forbidden, OperationFailed, PreflightRefused
from bakery_ops.model.builder import build_graph
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import ObjectRef
from bakery_ops.rules.rollout.events import Outcome
from bakery_ops.workflows.preflight import permitted, references_exist
from tests.fakes import FakeCluster
from tests.sites import V1, Site

TEXT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: web:1
          envFrom: [{secretRef: {name: keys}}, {secretRef: {name: login}}, {configMapRef: {name: settings}}]
"""


class OnlyGet(FakeCluster):
    def metadata(self, group, kind, namespace):
        raise OperationFailed(f"The API server refuses to list {kind}.")


@pytest.fixture(params=[FakeCluster, OnlyGet])
def cluster(request):
    found = request.param()
    for kind, name in (("Secret", "keys"), ("ConfigMap", "settings")):
        found.put({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
    return found


def graph():
    return build_graph(load(TEXT, "render", namespace="shop"))


def test_what_is_missing_is_named_with_who_wants_it(cluster):
    with pytest.raises(PreflightRefused) as refused:
        references_exist(graph(), cluster, ())
    assert list(refused.value.details) == ["secret/login (for web)"]


def test_one_list_of_metadata_per_kind_is_enough():
    cluster = FakeCluster()
    for kind, name in (("Secret", "keys"), ("Secret", "login"), ("ConfigMap", "settings")):
        cluster.put({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}})
    references_exist(graph(), cluster, ())
    assert cluster.calls == [("metadata", None), ("metadata", None)]


SEALED = (
    "\n---\n{apiVersion: bitnami.com/v1alpha1, kind: SealedSecret, metadata: {name: login, namespace: shop}, spec: {}}"
)


def test_what_a_custom_resource_of_the_render_becomes_is_not_missed(cluster):
    references_exist(build_graph(load(TEXT + SEALED, "render", namespace="shop")), cluster, ())


INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop, annotations: {%s}}
spec: {tls: [{secretName: web-tls}], defaultBackend: {service: {name: web, port: {number: 80}}}}
"""


class WithoutIssuer(FakeCluster):
    def served(self, refs):
        return {(ref.group, ref.kind): ref.group != "cert-manager.io" for ref in refs}


@pytest.mark.parametrize(
    ("world", "annotation", "is_refused"),
    [
        (FakeCluster, "cert-manager.io/cluster-issuer: letsencrypt", False),
        (FakeCluster, 'kubernetes.io/tls-acme: "true"', False),
        (FakeCluster, "example.org/note: none", True),
        (WithoutIssuer, "cert-manager.io/cluster-issuer: letsencrypt", True),
    ],
)
def test_a_certificate_that_an_issuer_of_the_cluster_makes_is_not_missed(world, annotation, is_refused):
    graph = build_graph(load(INGRESS % annotation, "render", namespace="shop"))
    with pytest.raises(PreflightRefused) if is_refused else nullcontext():
        references_exist(graph, world(), ())


def test_what_was_seen_a_moment_ago_is_not_asked_for(cluster):
    seen = {ObjectRef("", kind, "shop", name) for kind, name in (("Secret", "keys"), ("Secret", "login"))}
    references_exist(graph(), cluster, {*seen, ObjectRef("", "ConfigMap", "shop", "settings")})
    assert cluster.calls == []


def test_the_first_thing_that_is_forbidden_becomes_a_refusal_that_lists_all():
    """B51"""
    graph = build_graph(load(TEXT, "render", namespace="shop"))
    asked = []

    def lacking(graph):
        asked.append(graph)
        return ["create leases.coordination.k8s.io in shop", "patch deployments.apps in shop"]

    with pytest.raises(PreflightRefused) as caught, permitted(graph, lacking):
        raise Forbidden("The API server refuses lease/bakery-ops in shop: forbidden.")
    assert [line.partition(": ")[0] for line in caught.value.details] == [
        "The API server refuses lease/bakery-ops in shop",
        "missing",
        "missing",
    ]
    with pytest.raises(OperationFailed, match="etcd"), permitted(graph, lacking):
        raise OperationFailed("etcd is full")
    with permitted(graph, lacking):
        pass
    assert asked == [graph]


def test_what_may_not_be_watched_is_refused_before_the_first_write():
    """B51: such a deploy would write everything and see nothing of it until its deadline."""
    site = Site()
    site.unfollowed.append("watch deployments.apps in shop")
    with pytest.raises(PreflightRefused) as caught:
        site.deploy(V1)
    assert "watch deployments.apps in shop" in caught.value.details[0]
    assert site.mutations() == []
    site.unfollowed.clear()
    assert site.deploy(V1).outcome is Outcome.SUCCEEDED
