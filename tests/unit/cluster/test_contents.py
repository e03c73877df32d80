"""What is in a namespace: everything, of whatever kind, or a refusal. A list with a hole would delete a stranger's."""

from __future__ import annotations

import pytest

from bakery_ops.cluster.contents import ApiContents
from bakery_ops.cluster.discovery import BUILT_IN
from bakery_ops.errors import OperationFailed
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, status

OVENS = "/apis/bakery.example/v1/namespaces/shop/ovens"


def kinds(freshness: str = "Current") -> Say:
    oven = {"resource": "ovens", "responseKind": {"kind": "Oven"}, "scope": "Namespaced"}
    version = {"version": "v1", "resources": [oven], "freshness": freshness}
    items = [{"metadata": {"name": "bakery.example"}, "versions": [version]}]
    return Say(200, {"kind": "APIGroupDiscoveryList", "items": items})


def page(*names: str, token: str = "") -> Say:
    items = [{"metadata": {"name": name, "uid": f"uid-{name}"}} for name in names]
    return Say(200, {"metadata": {"continue": token}, "items": items})


@pytest.fixture
def contents(server: ScriptedServer, client: Client) -> ApiContents:
    for resource in BUILT_IN.values():
        if resource.namespaced:
            server.always("GET", resource.path("shop"), lambda seen: page())
    return ApiContents(client.transport, client.retrier, client.discovery)


def test_objects_of_kinds_nobody_here_knows_are_found_on_every_page(
    server: ScriptedServer, contents: ApiContents
) -> None:
    server.expect("GET", "/apis", kinds())
    server.expect("GET", OVENS, page("one", token="more"), page("two"))
    found = contents.of("shop")
    assert [(item["apiVersion"], item["kind"], item["metadata"]["name"]) for item in found] == [
        ("bakery.example/v1", "Oven", "one"),
        ("bakery.example/v1", "Oven", "two"),
    ]


@pytest.mark.parametrize("code", [404, 405])
def test_a_kind_that_has_no_list_has_no_objects(server: ScriptedServer, contents: ApiContents, code: int) -> None:
    server.expect("GET", "/apis", kinds())
    server.expect("GET", OVENS, status(code))
    assert contents.of("shop") == []


def test_a_kind_that_may_not_be_listed_is_a_refusal_and_not_an_empty_list(
    server: ScriptedServer, contents: ApiContents
) -> None:
    server.expect("GET", "/apis", kinds())
    server.expect("GET", OVENS, status(403, "Forbidden", "no"))
    with pytest.raises(OperationFailed, match="ovens"):
        contents.of("shop")


def test_an_expired_page_token_starts_the_list_anew(server: ScriptedServer, contents: ApiContents) -> None:
    """F4"""
    server.expect("GET", "/apis", kinds())
    server.expect("GET", OVENS, page("one", token="more"), status(410), page("two"))
    assert [item["metadata"]["name"] for item in contents.of("shop")] == ["two"]


def test_an_api_that_does_not_say_what_it_serves_is_a_refusal(server: ScriptedServer, contents: ApiContents) -> None:
    server.expect("GET", "/apis", kinds("Stale"))
    with pytest.raises(OperationFailed, match="which kinds"):
        contents.of("shop")
