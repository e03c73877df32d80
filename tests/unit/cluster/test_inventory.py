"""What we have written and not deleted."""

from __future__ import annotations

import pytest

from bakery_ops.cluster.inventory import ApiInventory, elsewhere
from bakery_ops.errors import OperationFailed
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.scripted import Client, Say, ScriptedServer, status
from tests.unit.cluster.stored import Stored

MAPS = "/api/v1/namespaces/shop/configmaps"
NAMESPACE = ObjectRef("", "Namespace", "", "shop")
WEB = ObjectRef("apps", "Deployment", "shop", "web")


@pytest.fixture
def stored(server: ScriptedServer) -> Stored:
    return Stored(server, MAPS, "bakery-ops-inventory")


@pytest.fixture
def inventory(client: Client) -> ApiInventory:
    return ApiInventory(client.transport, client.retrier, "shop")


def test_a_namespace_without_an_inventory_has_nothing_of_ours(stored: Stored, inventory: ApiInventory) -> None:
    assert inventory.read() == ()


def test_refs_come_back_sorted_and_once(stored: Stored, inventory: ApiInventory) -> None:
    inventory.write([WEB, NAMESPACE, WEB])
    assert inventory.read() == (NAMESPACE, WEB)


def test_the_same_refs_are_not_written_again(stored: Stored, inventory: ApiInventory) -> None:
    """I4"""
    inventory.write([WEB, NAMESPACE])
    inventory.write([NAMESPACE, WEB])
    assert stored.writes == 1


def test_an_empty_inventory_is_recorded_as_such(stored: Stored, inventory: ApiInventory) -> None:
    inventory.write([])
    inventory.write([])
    assert (stored.writes, inventory.read()) == (1, ())


def test_five_thousand_objects_fit_into_one_config_map(stored: Stored, inventory: ApiInventory) -> None:
    """B19"""
    refs = [
        ObjectRef("apps", "Deployment", "a-long-namespace-name", f"a-rather-long-workload-name-{n}")
        for n in range(5000)
    ]
    inventory.write(refs)
    assert len(stored.history[-1]["data"]["objects"]) < 900_000
    assert len(inventory.read()) == 5000


def test_an_edited_inventory_is_refused_rather_than_guessed(stored: Stored, inventory: ApiInventory) -> None:
    inventory.write([WEB])
    stored.edit(data={"objects": "apps/Deployment/shop\n"})
    with pytest.raises(OperationFailed, match="cannot be understood"):
        inventory.read()


def test_a_forbidden_inventory_is_an_error_and_not_an_empty_one(
    server: ScriptedServer, inventory: ApiInventory
) -> None:
    server.expect("GET", f"{MAPS}/bakery-ops-inventory", status(403, "Forbidden", "no"))
    with pytest.raises(OperationFailed):
        inventory.read()


def test_what_other_namespaces_hold_is_told_with_their_names(server: ScriptedServer, client: Client) -> None:
    def item(namespace: str, *refs: ObjectRef) -> dict[str, object]:
        text = "".join("/".join(ref) + "\n" for ref in refs)
        metadata = {"name": "bakery-ops-inventory", "namespace": namespace}
        return {"metadata": metadata, "data": {"objects": text}}

    high = ObjectRef("scheduling.k8s.io", "PriorityClass", "", "high")
    server.expect("GET", "/api/v1/configmaps", Say(200, {"items": [item("shop", WEB), item("other", high)]}))
    assert elsewhere(client.requests, "shop") == {high: "other"}


def test_what_another_run_added_meanwhile_is_kept(stored: Stored, inventory: ApiInventory) -> None:
    """I1: the write is refused, and what is added is added to what stands there by then."""
    login = ObjectRef("", "Secret", "shop", "login")
    inventory.write([NAMESPACE])
    stored.meanwhile = lambda: stored.edit(data={"objects": "/Namespace//shop\napps/Deployment/shop/web\n"})
    inventory.add([login])
    assert set(inventory.read()) == {NAMESPACE, WEB, login}
