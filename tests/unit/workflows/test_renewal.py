"""`tls.rotate` against a cluster in memory: what is due, nothing worse than what is there, safe to kill anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from bakery_ops.credentials import Mint
from bakery_ops.errors import OperationFailed, PreflightRefused, UsageError
from bakery_ops.model.answer import Answer
from bakery_ops.model.builder import build_graph
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import GENERATED, SecretState, wanted
from bakery_ops.workflows import secrets, tls
from bakery_ops.workflows.renewal import Choice, Renewal
from tests.fakes import FakeCluster, Killed
from tests.unit.workflows.test_secrets import manifests, ref

DAY = 86_400.0
SERVERS = {"auth-db-tls", "orders-db-tls", "redis-tls", "rabbitmq-tls"}


class World:
    """The secrets of a platform with two services, made at the clock's beginning."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.mint = Mint(self.cluster.clock.now)
        self.manifests = manifests("auth", "orders")
        self.specs = wanted(self.manifests)
        self.said: list[str] = []
        secrets.ensure(self.cluster, self.mint, self.specs, say=lambda line: None)

    def renewal(self, *names: str, every: bool = False) -> Renewal:
        graph, choice = build_graph(self.manifests), Choice(names, every)
        return Renewal(graph, self.specs, choice, self.cluster, self.mint, self.said.append)

    def due(self, *names: str, every: bool = False) -> dict[str, str]:
        return {one.spec.ref.name: one.why for one in self.renewal(*names, every=every).due()}

    def certificates(self) -> dict[str, str]:
        return {name: self.cluster.body(ref(name))["data"]["tls.crt"] for name in sorted(SERVERS)}

    def changed(self, before: dict[str, str]) -> set[str]:
        return {name for name, text in self.certificates().items() if text != before[name]}

    def pass_days(self, days: float) -> None:
        self.cluster.clock.sleep(days * DAY)

    def states(self) -> dict[str, SecretState]:
        return {row.name: row.state for row in tls.check(self.cluster, self.mint, self.specs)}


@pytest.fixture
def world() -> World:
    return World()


def test_young_certificates_are_not_due(world: World) -> None:
    assert world.due() == {}


def test_what_expires_soon_is_due_and_is_good_again_afterwards(world: World) -> None:
    world.pass_days(80)
    assert set(world.due()) == SERVERS
    assert all(why.startswith("expires in ") for why in world.due().values())
    world.renewal().renew()
    assert world.due() == {}
    assert {state for name, state in world.states().items() if name in SERVERS} == {SecretState.PRESENT}
    assert "certificate auth-db-tls renewed, valid until" in "\n".join(world.said)


def test_what_has_expired_is_due(world: World) -> None:
    world.pass_days(91)
    assert all(why.startswith("expired on ") for why in world.due().values())
    world.renewal().renew()
    assert set(world.states().values()) == {SecretState.PRESENT}


def test_only_those_that_are_named_are_renewed_by_either_name(world: World) -> None:
    before = world.certificates()
    world.renewal("auth-db", "redis-tls").renew()
    assert world.changed(before) == {"auth-db-tls", "redis-tls"}


def test_every_one_is_renewed_when_asked_for(world: World) -> None:
    before = world.certificates()
    world.renewal(every=True).renew()
    assert world.changed(before) == SERVERS


def test_certificate_and_key_change_together_and_nothing_else_does(world: World) -> None:
    before = world.cluster.body(ref("auth-db-tls"))
    world.cluster.mutations.clear()
    world.renewal("auth-db").renew()
    after = world.cluster.body(ref("auth-db-tls"))
    assert world.cluster.mutations == [("apply", ref("auth-db-tls"))]
    assert {key for key in after["data"] if after["data"][key] != before["data"][key]} == {"tls.crt", "tls.key"}
    assert (after["type"], after["metadata"]["annotations"][GENERATED]) == ("kubernetes.io/tls", "true")


def test_an_unknown_name_is_bad_input_with_the_nearest_one(world: World) -> None:
    with pytest.raises(UsageError) as caught:
        world.due("auth-bd-tls")
    assert "auth-db-tls" in caught.value.remedy


def test_what_came_from_elsewhere_is_left_alone_and_refused_by_name(world: World) -> None:
    world.cluster.change(ref("redis-tls"), lambda body: body["metadata"].update(annotations={}))
    world.pass_days(80)
    assert set(world.due()) == SERVERS - {"redis-tls"}
    with pytest.raises(PreflightRefused) as caught:
        world.due("redis", "auth-db")
    assert list(caught.value.details) == ["redis-tls was not made by us"]


def test_a_missing_one_is_another_commands_to_make(world: World) -> None:
    world.cluster.vanish(ref("redis-tls"))
    world.pass_days(80)
    assert set(world.due()) == SERVERS - {"redis-tls"}
    with pytest.raises(PreflightRefused) as caught:
        world.due("redis")
    assert (list(caught.value.details), "invoke tls" in caught.value.remedy) == (["redis-tls is missing"], True)


def test_an_authority_that_has_expired_signs_nothing(world: World) -> None:
    before = world.certificates()
    world.pass_days(3651)
    with pytest.raises(PreflightRefused, match="nothing was renewed") as caught:
        world.renewal().renew()
    assert "redis-tls: is signed by an authority that has expired" in caught.value.details
    assert world.changed(before) == set()


def test_what_clients_would_not_trust_is_refused_before_the_first_write(world: World) -> None:
    """Somebody replaced the authority that clients trust, and kept the key of the old one."""
    other = World()
    body = other.cluster.body(ref("bakery-ca"))
    world.cluster.change(ref("bakery-ca"), lambda live: live.update(data=body["data"]))
    before = world.certificates()
    with pytest.raises(PreflightRefused, match="nothing was renewed"):
        world.renewal(every=True).renew()
    assert world.changed(before) == set()


def test_without_the_authoritys_key_nothing_is_renewed(world: World) -> None:
    world.cluster.vanish(ref("bakery-ca-issuer"))
    with pytest.raises(PreflightRefused, match="bakery-ca-issuer is gone"):
        world.renewal(every=True).renew()


class Meddler(FakeCluster):
    """Refuses a write as a server does when the Secret changed since it was read."""

    def apply(self, manifest: Manifest, **how: Any) -> Answer:
        return Answer(409, {}, "Conflict", "the object has been modified")


def test_a_secret_that_changes_at_this_moment_is_left_to_whoever_changed_it(world: World) -> None:
    meddler = Meddler(world.cluster.clock)
    meddler.stored = world.cluster.stored
    renewal = Renewal(build_graph(world.manifests), world.specs, Choice(every=True), meddler, world.mint, print)
    with pytest.raises(OperationFailed, match="refused the secret"):
        renewal.renew()


@pytest.mark.parametrize(
    ("cut", "when"),
    [(1, "before"), (1, "after"), (2, "before"), (2, "after"), (3, "before"), (3, "after"), (4, "before")],
)
def test_a_kill_at_any_write_leaves_what_a_rerun_completes(world: World, cut: int, when: str) -> None:
    world.pass_days(80)
    before = world.certificates()
    world.cluster.kill_at = (len(world.cluster.mutations) + cut, when)
    with pytest.raises(Killed):
        world.renewal().renew()
    world.cluster.kill_at = None
    early = world.certificates()
    done = world.changed(before)
    world.renewal().renew()
    assert world.changed(before) == SERVERS
    assert {name for name in done if world.certificates()[name] != early[name]} == set(), "renewed twice"


def test_pods_from_before_the_renewal_are_behind_until_they_are_new(world: World) -> None:
    world.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "auth-db-0", "namespace": "shop"}})
    world.pass_days(1)
    assert world.renewal().behind() == {}
    world.renewal("auth-db").renew()
    assert set(world.renewal().behind()) == {"auth-db"}
    world.cluster.vanish(ObjectRef("", "Pod", "shop", "auth-db-0"))
    assert world.renewal().behind() == {}
