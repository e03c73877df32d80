"""Which path a kind lives under, and what that costs."""

from __future__ import annotations

import pytest

from bakery_ops.cluster.discovery import BUILT_IN, Resource
from bakery_ops.errors import OperationFailed
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, status


@pytest.mark.parametrize(
    ("group", "kind", "path"),
    [
        ("", "Pod", "/api/v1/namespaces/shop/pods/x"),
        ("", "Namespace", "/api/v1/namespaces/x"),
        ("", "Endpoints", "/api/v1/namespaces/shop/endpoints/x"),
        ("apps", "StatefulSet", "/apis/apps/v1/namespaces/shop/statefulsets/x"),
        ("networking.k8s.io", "Ingress", "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/x"),
        ("networking.k8s.io", "NetworkPolicy", "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/x"),
        ("storage.k8s.io", "StorageClass", "/apis/storage.k8s.io/v1/storageclasses/x"),
        ("rbac.authorization.k8s.io", "ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"),
        ("autoscaling", "HorizontalPodAutoscaler", "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/x"),
        ("policy", "PodDisruptionBudget", "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/x"),
    ],
)
def test_kinds_of_kubernetes_need_no_request(client: Client, group: str, kind: str, path: str) -> None:
    found = client.discovery.find(group, kind)
    assert found is not None
    assert found.path("shop", "x") == path
    assert client.transport.requests == {}


def test_names_are_quoted_into_the_path() -> None:
    """B48"""
    assert BUILT_IN["", "Pod"].path("../x", "a/b?c") == "/api/v1/namespaces/..%2Fx/pods/a%2Fb%3Fc"


def test_all_custom_kinds_cost_one_request(server: ScriptedServer, client: Client) -> None:
    answer = aggregated(
        ("bakery.example", "v2", "ovens", "Oven", "Namespaced"), ("x.example", "v1", "xs", "X", "Cluster")
    )
    server.expect("GET", "/apis", answer)
    refs = [
        ObjectRef("bakery.example", "Oven", "", ""),
        ObjectRef("x.example", "X", "", ""),
        ObjectRef("", "Pod", "", ""),
    ]
    assert set(client.discovery.served(refs).values()) == {True}
    assert client.discovery.find("bakery.example", "Oven") == Resource("bakery.example", "v2", "ovens", True)
    assert len(server.seen) == 1


def test_a_kind_that_is_missing_is_asked_for_again_because_its_crd_may_come(
    server: ScriptedServer, client: Client
) -> None:
    """B9, F28"""
    server.expect("GET", "/apis", aggregated(), aggregated(("bakery.example", "v1", "ovens", "Oven", "Namespaced")))
    ref = ObjectRef("bakery.example", "Oven", "", "")
    assert client.discovery.served([ref]) == {("bakery.example", "Oven"): False}
    assert client.discovery.served([ref]) == {("bakery.example", "Oven"): True}


def test_a_dead_aggregated_api_hides_no_other_group(server: ScriptedServer, client: Client) -> None:
    """F27"""
    answer = aggregated(("bakery.example", "v1", "ovens", "Oven", "Namespaced"))
    answer.body["items"].append(
        {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}
    )
    server.expect("GET", "/apis", answer)
    assert client.discovery.find("bakery.example", "Oven") is not None
    assert client.discovery.stale == ("metrics.k8s.io/v1beta1",)


def test_a_server_without_aggregated_discovery_is_asked_for_the_group(server: ScriptedServer, client: Client) -> None:
    groups = [
        {"name": name, "versions": [{"groupVersion": f"{name}/v1"}]} for name in ("bakery.example", "other.example")
    ]
    server.expect("GET", "/apis", Say(200, {"kind": "APIGroupList", "groups": groups}))
    resources = [
        {"name": "ovens", "kind": "Oven", "namespaced": True},
        {"name": "ovens/status", "kind": "Oven", "namespaced": True},
    ]
    server.expect("GET", "/apis/bakery.example/v1", Say(200, {"resources": resources}))
    assert client.discovery.find("bakery.example", "Oven") == Resource("bakery.example", "v1", "ovens", True)


def test_a_broken_group_is_not_served(server: ScriptedServer, client: Client) -> None:
    groups = [{"name": "bakery.example", "versions": [{"groupVersion": "bakery.example/v1"}]}]
    server.expect("GET", "/apis", Say(200, {"kind": "APIGroupList", "groups": groups}))
    server.expect("GET", "/apis/bakery.example/v1", status(404))
    assert client.discovery.find("bakery.example", "Oven") is None


@pytest.mark.parametrize("answer", [Say(302, b"<html>"), Say(200, b"<html>"), Say(200, {"items": []})])
def test_what_is_no_list_of_kinds_is_an_error_and_not_a_server_without_kinds(
    server: ScriptedServer, client: Client, answer: Say
) -> None:
    """F60"""
    server.expect("GET", "/apis", answer)
    with pytest.raises(OperationFailed, match="which kinds"):
        client.discovery.find("bakery.example", "Oven")


def test_a_group_without_kinds_hides_no_other(server: ScriptedServer, client: Client) -> None:
    versions = [{"groupVersion": "bakery.example/v1"}, {"groupVersion": "bakery.example/v2"}]
    groups = [{"name": "bakery.example", "versions": versions}]
    server.expect("GET", "/apis", Say(200, {"kind": "APIGroupList", "groups": groups}))
    server.expect("GET", "/apis/bakery.example/v1", Say(200, {"kind": "APIResourceList", "resources": None}))
    ovens = {"name": "ovens", "kind": "Oven", "namespaced": True}
    server.expect("GET", "/apis/bakery.example/v2", Say(200, {"kind": "APIResourceList", "resources": [ovens]}))
    assert client.discovery.find("bakery.example", "Oven") == Resource("bakery.example", "v2", "ovens", True)


def aggregated(*kinds: tuple[str, str, str, str, str]) -> Say:
    items = [
        {
            "metadata": {"name": group},
            "versions": [
                {
                    "version": version,
                    "resources": [{"resource": plural, "responseKind": {"kind": kind}, "scope": scope}],
                },
                {"version": "v0", "resources": [{"resource": "old", "responseKind": {"kind": kind}, "scope": scope}]},
            ],
        }
        for group, version, plural, kind, scope in kinds
    ]
    return Say(200, {"kind": "APIGroupDiscoveryList", "items": items})
