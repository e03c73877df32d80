"""What we may not do, in as few questions as possible."""

from __future__ import annotations

import pytest

from bakery_ops.cluster.discovery import Resource
from bakery_ops.cluster.permissions import Permission, Permissions, needed, streams
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, Seen

RULES = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
PODS = Permission("list", "", "pods", "shop")


def rules(*granted: dict[str, list[str]]) -> Say:
    return Say(201, {"status": {"resourceRules": list(granted), "incomplete": False}})


def allowed(answer: bool) -> Say:
    return Say(201, {"status": {"allowed": answer}})


@pytest.mark.parametrize(
    "rule",
    [
        {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
    ],
)
def test_what_the_rules_grant_is_not_asked_again(
    server: ScriptedServer, client: Client, rule: dict[str, list[str]]
) -> None:
    server.expect("POST", RULES, rules(rule))
    assert Permissions(client.transport, client.retrier).missing([PODS, PODS]) == ()
    assert server.seen[0].json["spec"] == {"namespace": "shop"}


@pytest.mark.parametrize(
    "rule",
    [
        {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]},
        {"verbs": ["list"], "apiGroups": ["apps"], "resources": ["pods"]},
        {"verbs": ["list"], "apiGroups": [""], "resources": ["pods/log"]},
        {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["one"]},
    ],
)
def test_what_the_rules_do_not_grant_is_asked_by_itself(
    server: ScriptedServer, client: Client, rule: dict[str, list[str]]
) -> None:
    server.expect("POST", RULES, rules(rule))
    server.expect("POST", ACCESS, allowed(False))
    assert Permissions(client.transport, client.retrier).missing([PODS]) == (PODS,)
    attributes = {"verb": "list", "resource": "pods", "namespace": "shop"}
    assert server.seen[1].json["spec"]["resourceAttributes"] == attributes


def test_an_incomplete_review_is_no_refusal(server: ScriptedServer, client: Client) -> None:
    server.expect("POST", RULES, rules())
    server.expect("POST", ACCESS, allowed(True))
    assert Permissions(client.transport, client.retrier).missing([PODS]) == ()


def test_cluster_scoped_permissions_are_asked_one_by_one_with_their_subresource(
    server: ScriptedServer, client: Client
) -> None:
    def refuse_nodes(seen: Seen) -> Say:
        return allowed(seen.json["spec"]["resourceAttributes"]["resource"] != "nodes")

    server.always("POST", ACCESS, refuse_nodes)
    wanted = [Permission("get", "", "nodes/proxy"), Permission("create", "", "namespaces")]
    assert Permissions(client.transport, client.retrier).missing(wanted) == (wanted[0],)
    assert server.seen[0].json["spec"]["resourceAttributes"]["subresource"] == "proxy"


def test_a_permission_reads_like_a_sentence() -> None:
    assert str(Permission("patch", "apps", "deployments", "shop")) == "patch deployments.apps in shop"
    assert str(Permission("list", "", "nodes")) == "list nodes"


def test_a_deploy_needs_what_it_does_with_its_objects_and_its_own_records() -> None:
    refs = [ObjectRef("apps", "Deployment", "shop", "web"), ObjectRef("x.example", "Unknown", "shop", "x")]
    resource = Resource("apps", "v1", "deployments", namespaced=True)
    followed = streams(("Deployment", "Pod"), "shop")
    find = {"Deployment": resource}.get
    wanted = {str(each) for each in needed(refs, "home", lambda _, kind: find(kind), followed)}
    deployments = ("get", "list", "create", "patch", "delete", "watch")
    assert {f"{verb} deployments.apps in shop" for verb in deployments} <= wanted
    assert {"create leases.coordination.k8s.io in home", "update configmaps in home"} <= wanted
    assert "delete configmaps in home" in wanted
    assert {"watch pods in shop", "get pods/log in shop", "get services/proxy in shop"} <= wanted
    assert not any("Unknown" in each or "secrets" in each for each in wanted)


def test_what_is_cluster_wide_is_deleted_only_by_who_asks_for_it() -> None:
    resource = Resource("", "v1", "namespaces", namespaced=False)
    wanted = {str(each) for each in needed([ObjectRef("", "Namespace", "", "shop")], "shop", lambda *_: resource)}
    assert "create namespaces" in wanted
    assert "delete namespaces" not in wanted


def test_to_follow_a_kind_is_to_list_and_to_watch_it() -> None:
    assert [str(each) for each in streams(("Job", "EndpointSlice"), "shop")] == [
        "list jobs.batch in shop",
        "watch jobs.batch in shop",
        "list endpointslices.discovery.k8s.io in shop",
        "watch endpointslices.discovery.k8s.io in shop",
    ]
    assert [str(each) for each in streams(("Pod",), "")] == ["list pods", "watch pods"]
