import hashlib
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from bakery_ops.credentials.secret import SecretText
from bakery_ops.credentials.values import password, rabbitmq_hash, rabbitmq_hash_fits, rabbitmq_users, redis_users

PROBE = SecretText("probe-password")


def clients(**passwords):
    return {name.replace("_", "-"): SecretText(value) for name, value in passwords.items()}


def test_passwords_are_long_distinct_and_free_of_characters_with_a_meaning():
    made = {password().reveal() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", each) for each in made)


def test_redis_users_are_hashes_with_their_own_keys_and_the_default_user_is_off():
    users, added = redis_users(None, PROBE, clients(auth="a", gateway="b"))
    lines = users.reveal().splitlines()
    assert lines[0] == "user default off"
    assert [line.split()[1] for line in lines] == ["default", "probe", "auth", "gateway"]
    digest = hashlib.sha256(b"a").hexdigest()
    assert f"user auth on #{digest} resetkeys ~auth:* " in users.reveal()
    assert added == ("probe", "auth", "gateway")
    assert "probe-password" not in users.reveal()


def test_a_user_list_is_extended_and_what_is_there_stays():
    first, _ = redis_users(None, PROBE, clients(auth="a"))
    by_hand = SecretText(first.reveal() + "user human on nopass ~* +@read\n")
    second, added = redis_users(by_hand, PROBE, clients(auth="a", orders="o"))
    assert added == ("orders",)
    assert second.reveal().startswith(by_hand.reveal())


def test_a_redis_user_with_a_new_password_keeps_the_old_one_too():
    first, _ = redis_users(None, PROBE, clients(auth="old"))
    second, added = redis_users(first, PROBE, clients(auth="new"))
    assert added == ("auth",)
    line = next(line for line in second.reveal().splitlines() if line.startswith("user auth"))
    assert {hashlib.sha256(each).hexdigest() for each in (b"old", b"new")} == set(re.findall("#([0-9a-f]{64})", line))


def test_an_unchanged_list_is_left_alone():
    first, _ = redis_users(None, PROBE, clients(auth="a"))
    assert redis_users(first, PROBE, clients(auth="a")) == (first, ())


def test_rabbitmq_hashes_are_salted_and_recognized():
    one, other = rabbitmq_hash(SecretText("p")), rabbitmq_hash(SecretText("p"))
    assert one != other
    assert rabbitmq_hash_fits(one, SecretText("p"))
    assert not rabbitmq_hash_fits(one, SecretText("q"))
    assert not rabbitmq_hash_fits("not base64!", SecretText("p"))


def test_a_rabbitmq_hash_is_the_documented_one():
    # RabbitMQ documentation, "Computing Password Hash": salt 908D C60A, password "test12".
    assert rabbitmq_hash(SecretText("test12"), lambda size: bytes.fromhex("908DC60A")) == (
        "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    )


STAFF = {"admin": (SecretText("x"), "administrator"), "monitor": (SecretText("y"), "monitoring")}


def test_rabbitmq_users_get_only_what_is_theirs():
    users, changed = rabbitmq_users(None, STAFF, clients(alert_processor="z"))
    definitions = json.loads(users.reveal())
    assert changed == ("admin", "monitor", "alert-processor")
    assert {user["name"]: user["tags"] for user in definitions["users"]} == {
        "admin": "administrator",
        "monitor": "monitoring",
        "alert-processor": "",
    }
    scope = next(each for each in definitions["permissions"] if each["user"] == "alert-processor")
    assert re.search(scope["write"], "alert-processor.alerts")
    assert not re.search(scope["write"], "orders.alerts")
    assert all(user["hashing_algorithm"] == "rabbit_password_hashing_sha256" for user in definitions["users"])


def test_rabbitmq_definitions_are_extended_and_foreign_parts_stay():
    first, _ = rabbitmq_users(None, STAFF, clients(a="1"))
    by_hand = json.loads(first.reveal())
    by_hand["queues"] = [{"name": "kept"}]
    second, changed = rabbitmq_users(SecretText(json.dumps(by_hand)), STAFF, clients(a="1", b="2"))
    definitions = json.loads(second.reveal())
    assert changed == ("b",)
    assert definitions["queues"] == [{"name": "kept"}]
    assert definitions["users"][:3] == by_hand["users"]


@given(st.text(min_size=1, max_size=60))
def test_any_password_survives_the_lists(text):
    """Row B29: `@:/#%$'"\\` and other alphabets; lists hold hashes, so no quoting can go wrong."""
    secret = SecretText(text.encode("utf-8", "replace").decode())
    acl, _ = redis_users(None, PROBE, {"a": secret})
    assert f"#{hashlib.sha256(secret.reveal().encode()).hexdigest()} " in acl.reveal()
    definitions, _ = rabbitmq_users(None, STAFF, {"a": secret})
    stored = json.loads(definitions.reveal())["users"][2]["password_hash"]
    assert rabbitmq_hash_fits(stored, secret)
