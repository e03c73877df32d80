"""`secrets` against a cluster in memory: created once, never overwritten, extended, safe to kill anywhere."""

import base64
import json
import re
from datetime import UTC, datetime

import pytest

from bakery_ops.credentials import Mint
from bakery_ops.errors import OperationFailed, PreflightRefused
from bakery_ops.model.answer import Answer
from bakery_ops.model.documents import load
from bakery_ops.model.manifest import Manifest, ObjectRef
from bakery_ops.model.secrets import GENERATED, Purpose, SecretState, wanted
from bakery_ops.workflows import secrets, tls
from tests.fakes import FakeCluster, Killed

LABELS = {"app.kubernetes.io/part-of": "bakery-ia"}


def workload(kind, name, *names, claims=()):
    volumes = [{"name": f"v{number}", "secret": {"secretName": each}} for number, each in enumerate(names)]
    spec = {"template": {"spec": {"containers": [{"name": "a", "image": "i"}], "volumes": volumes}}}
    if claims:
        spec["volumeClaimTemplates"] = [{"metadata": {"name": claim}} for claim in claims]
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": LABELS}, "spec": spec}


def service(name):
    secrets = [f"{name}-redis-credentials", f"{name}-rabbitmq-credentials", f"{name}-db-credentials", "bakery-ca"]
    return workload("Deployment", f"{name}-service", *secrets)


def manifests(*names):
    bodies = [service(name) for name in names]
    bodies += [workload("StatefulSet", f"{n}-db", f"{n}-db-credentials", f"{n}-db-tls", claims=["data"]) for n in names]
    bodies += [
        workload("StatefulSet", "redis", "redis-acl", "redis-tls"),
        workload("StatefulSet", "rabbitmq", "rabbitmq-definitions", "rabbitmq-tls"),
        workload("Deployment", "auth", "app-secrets"),
        workload("Deployment", "grafana", "grafana-admin"),
    ]
    return load("\n---\n".join(map(json.dumps, bodies)), "render", namespace="shop")


class World:
    def __init__(self):
        self.cluster = FakeCluster()
        self.mint = Mint(self.cluster.clock.now)
        self.said = []
        self.announced = []

    def ensure(self, *names, only=secrets):
        return only.ensure(
            self.cluster, self.mint, wanted(manifests(*names)), say=self.said.append, announce=self.announced.extend
        )

    def value(self, name, key):
        return base64.b64decode(self.cluster.stored[ref(name)].body["data"][key]).decode()

    def everything(self):
        return {each: stored.body["data"] for each, stored in self.cluster.stored.items() if each.kind == "Secret"}

    def put(self, kind, name, **body):
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **body}
        self.cluster.apply(Manifest(ref(name, kind), "v1", body, "test"))


@pytest.fixture
def world():
    return World()


def ref(name, kind="Secret"):
    return ObjectRef("", kind, "shop", name)


def encode(**values):
    return {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}


def test_everything_referred_to_is_created_with_labels_and_the_mark_of_what_is_generated(world):
    done = world.ensure("auth", "orders")
    assert {row.state for row in done.rows} == {SecretState.CREATED}
    assert {each.name for each in world.everything()} == {
        "bakery-ca-issuer", "bakery-ca", "auth-db-tls", "orders-db-tls", "redis-tls", "rabbitmq-tls", "redis-acl",
        "auth-db-credentials", "orders-db-credentials", "auth-redis-credentials", "orders-redis-credentials",
        "auth-rabbitmq-credentials", "orders-rabbitmq-credentials",
        "rabbitmq-definitions", "app-secrets", "grafana-admin",
    }  # fmt: skip
    for stored in world.cluster.stored.values():
        assert stored.body["metadata"]["labels"]["app.kubernetes.io/part-of"] == "bakery-ia"
        assert stored.body["metadata"]["annotations"][GENERATED] == "true"
    assert world.cluster.stored[ref("redis-tls")].body["type"] == "kubernetes.io/tls"
    assert world.value("auth-db-credentials", "username") == "auth"
    assert set(world.announced) == set(world.everything())


def test_all_values_are_distinct(world):
    world.ensure("auth", "orders")
    passwords = [
        world.value(e.name, key) for e, data in world.everything().items() for key in data if "password" in key
    ]
    assert len(passwords) == len(set(passwords)) == 2 * 4 + 1 + 2 + 1


def test_a_second_run_writes_nothing(world):
    world.ensure("auth")
    before = len(world.cluster.mutations)
    done = world.ensure("auth")
    assert len(world.cluster.mutations) == before
    assert done.changed == ()


def test_what_is_there_is_never_overwritten_and_only_the_missing_is_made(world):
    world.put("Secret", "app-secrets", data=encode(jwt_signing_key="chosen-by-hand"))
    world.ensure("auth")
    assert world.value("app-secrets", "jwt-signing-key") == "chosen-by-hand"
    old = world.everything()
    world.cluster.vanish(ref("grafana-admin"))
    assert [row.name for row in world.ensure("auth").changed] == ["grafana-admin"]
    assert {each: data for each, data in world.everything().items() if each.name != "grafana-admin"} == {
        each: data for each, data in old.items() if each.name != "grafana-admin"
    }


def test_a_new_client_extends_the_user_lists_and_changes_nobody_else(world):
    world.ensure("auth")
    acl, probe = world.value("redis-acl", "users.acl"), world.value("redis-acl", "probe-password")
    done = world.ensure("auth", "orders")
    assert world.value("redis-acl", "users.acl").startswith(acl)
    assert "user orders on #" in world.value("redis-acl", "users.acl")
    assert world.value("redis-acl", "probe-password") == probe
    extended = {row.name: row.notes for row in done.rows if row.state is SecretState.EXTENDED}
    assert extended == {"redis-acl": ("added orders",), "rabbitmq-definitions": ("added orders",)}
    assert set(done.restart) == {"redis", "rabbitmq"}


def test_a_leaf_that_is_missing_is_signed_by_the_authority_that_is_there(world):
    world.ensure("auth")
    trusted = world.value("bakery-ca", "ca.crt")
    world.cluster.vanish(ref("redis-tls"))
    world.ensure("auth")
    assert world.value("bakery-ca", "ca.crt") == trusted == world.value("redis-tls", "ca.crt")
    assert all(row.state is SecretState.PRESENT for row in world.check())


World.check = lambda self, *names: secrets.check(self.cluster, self.mint, wanted(manifests(*(names or ("auth",)))))


def test_a_lost_database_password_is_never_replaced_while_the_data_is_there(world):
    world.ensure("auth", "orders")
    world.cluster.vanish(ref("auth-db-credentials"))
    world.put("PersistentVolumeClaim", "data-auth-db-0")
    before = len(world.cluster.mutations)
    with pytest.raises(PreflightRefused) as caught:
        world.ensure("auth", "orders")
    assert caught.value.details == ("auth-db-credentials: volume data-auth-db-0 was initialised with its value",)
    assert len(world.cluster.mutations) == before


def test_an_authority_without_its_key_is_not_replaced_behind_the_clients_backs(world):
    world.put("Secret", "bakery-ca", data=encode(**{"ca.crt": "theirs"}))
    with pytest.raises(PreflightRefused, match="bakery-ca is there without bakery-ca-issuer"):
        world.ensure("auth")
    assert len(world.cluster.mutations) == 1


def test_a_refused_write_is_told_without_the_servers_words(world):
    world.cluster.faults[("apply", ref("app-secrets"))] = [Answer(422, {}, "Invalid", "data: Invalid value: hunter2")]
    with pytest.raises(OperationFailed) as caught:
        world.ensure("auth")
    assert str(caught.value) == "the API server refused the secret app-secrets (422 Invalid)"


@pytest.mark.parametrize("cut", ["before", "after"])
def test_a_kill_at_any_write_leaves_what_a_rerun_completes(cut):
    whole = World()
    whole.ensure("auth", "orders")
    last = len(whole.cluster.mutations)
    for number in range(1, last + (cut == "before")):
        world = World()
        world.cluster.kill_at = (number, cut)
        with pytest.raises(Killed):
            world.ensure("auth", "orders")
        world.cluster.kill_at = None
        survivors = world.everything()
        world.ensure("auth", "orders")
        assert world.everything().keys() == whole.everything().keys()
        assert {each: world.everything()[each] for each in survivors} == survivors
        assert all(row.state is SecretState.PRESENT for row in world.check("auth", "orders"))


def test_tls_makes_certificates_and_nothing_else(world):
    done = world.ensure("auth", only=tls)
    assert {row.purpose for row in done.rows} == {Purpose.AUTHORITY, Purpose.TRUST, Purpose.CERTIFICATE}
    rows = tls.check(world.cluster, world.mint, wanted(manifests("auth")))
    assert {row.state for row in rows} == {SecretState.PRESENT}
    ends = datetime.fromtimestamp(world.cluster.clock.now() + 90 * 86400, UTC)
    assert {row.notes for row in rows if row.purpose is Purpose.CERTIFICATE} == {(f"valid until {ends:%Y-%m-%d}",)}
    assert [row.notes for row in world.check() if row.purpose is Purpose.DATABASE] == [()]


def test_check_tells_missing_wrong_and_weak_ones_apart(world):
    world.ensure("auth")
    world.cluster.vanish(ref("grafana-admin"))
    world.put("Secret", "app-secrets", data=encode(jwt_signing_key="short"))
    world.cluster.clock.sleep(80 * 86400)
    rows = {row.name: row for row in world.check()}
    assert rows["grafana-admin"].state is SecretState.MISSING
    assert rows["app-secrets"].state is SecretState.WARNING
    assert rows["redis-tls"].notes[0].startswith("expires in 10 days")
    world.cluster.clock.sleep(20 * 86400)
    assert {row.state for row in tls.check(world.cluster, world.mint, wanted(manifests("auth")))} == {
        SecretState.WRONG,
        SecretState.PRESENT,
    }


def test_no_value_appears_in_anything_that_is_said_or_raised(world):
    done = world.ensure("auth", "orders")
    texts = [repr(done), *world.said, repr(world.check("auth", "orders"))]
    secret_words = {
        word
        for data in world.everything().values()
        for value in data.values()
        for word in re.findall(r"[\w+/=-]{16,}", value + "\n" + base64.b64decode(value).decode())
    }
    assert len(secret_words) > 50
    assert not [word for word in secret_words for text in texts if word in text]


def test_a_strangers_secrets_are_the_strangers_to_make():
    body = workload("Deployment", "web", "web-tls", "redis-acl")
    del body["metadata"]["labels"]
    read = load(json.dumps(body), "render", namespace="shop")
    assert wanted(read) == ()
    ours = load(json.dumps(workload("Deployment", "web", "something-else")), "render", namespace="shop")
    assert wanted(ours) == (), "a name of no purpose we know"


class OnlyGet(FakeCluster):
    """A cluster whose account may get secrets and not list them."""

    def list(self, group, kind, namespace, *, label_selector=""):
        raise OperationFailed(f"The API server refuses to list {kind}.")


def test_what_is_there_is_read_with_one_list_however_many_secrets_there_are(world):
    world.ensure("auth", "orders")
    world.cluster.calls.clear()
    done = world.ensure("auth", "orders")
    assert len(done.rows) > 10
    assert world.cluster.calls == [("list", None)]


def test_an_account_that_may_not_list_secrets_reads_them_one_by_one():
    world = World()
    world.cluster = OnlyGet(world.cluster.clock)
    world.ensure("auth")
    before = world.everything()
    assert not world.ensure("auth").changed
    assert world.everything() == before
