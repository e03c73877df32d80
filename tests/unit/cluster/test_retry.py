"""Which failures are tried again, for how long, and who waits."""

from __future__ import annotations

import threading

import pytest

from bakery_ops.cluster.retry import Class, classify
from bakery_ops.cluster.transport import Reply
from bakery_ops.cluster.troubles import TransportError, Trouble
from bakery_ops.errors import ClusterUnreachable, OperationFailed
from bakery_ops.model.manifest import ObjectRef
from tests.unit.cluster.scripted import Client, Drop, Say, ScriptedServer, Seen, status

PATH = "/api/v1/namespaces/shop/configmaps/x"
REF = ObjectRef("", "ConfigMap", "shop", "x")


def reply(code: int, body: bytes = b"") -> Reply:
    return Reply(code, {}, body, 0.0, 0.0, None, 0)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (reply(200), Class.ANSWER),
        (reply(403), Class.ANSWER),
        (reply(404), Class.ANSWER),
        (reply(409, b"Apply failed with 1 conflict"), Class.ANSWER),
        (reply(409, b"Operation cannot be fulfilled on resourcequotas"), Class.TRANSIENT),
        (reply(422), Class.ANSWER),
        (reply(401), Class.CREDENTIALS),
        (reply(429), Class.TRANSIENT),
        (reply(500, b"etcdserver: leader changed"), Class.TRANSIENT),
        (reply(500, b"etcdserver: request timed out"), Class.TRANSIENT),
        (reply(500, b"failed to create typed patch object (x): .a: expected string"), Class.ANSWER),
        (reply(500, b'failed calling webhook "check.example.com"'), Class.WEBHOOK),
        (reply(500, b"etcdserver: mvcc: database space exceeded"), Class.HOPELESS),
        (reply(502), Class.TRANSIENT),
        (reply(503), Class.TRANSIENT),
        (reply(504), Class.TRANSIENT),
        (TransportError(Trouble.REFUSED, "", sent=False), Class.TRANSIENT),
        (TransportError(Trouble.RESET, "", sent=True), Class.TRANSIENT),
        (TransportError(Trouble.TIMEOUT, "", sent=True), Class.TRANSIENT),
        (TransportError(Trouble.NAME, "", sent=False), Class.TRANSIENT),
        (TransportError(Trouble.TLS, "", sent=False), Class.HOPELESS),
    ],
)
def test_every_outcome_has_its_class(outcome: Reply | TransportError, expected: Class) -> None:
    assert classify(outcome) is expected


def test_a_retry_after_is_waited_out(server: ScriptedServer, client: Client) -> None:
    """F6"""
    server.expect("GET", PATH, status(429, headers={"Retry-After": "7"}), Say(200))
    assert client.requests.read(REF).status == 200
    assert sum(client.steady.sleeps) >= 7


def test_a_retry_after_holds_back_every_other_request_too(server: ScriptedServer, client: Client) -> None:
    client.retrier.hold(9.0)
    server.expect("GET", PATH, Say(200))
    client.requests.read(REF)
    assert client.steady.sleeps == [9.0]


def test_a_retry_after_that_no_budget_allows_holds_back_nobody(server: ScriptedServer, client: Client) -> None:
    server.always("GET", PATH, status(429, headers={"Retry-After": "3600"}))
    with pytest.raises(ClusterUnreachable, match="throttling us"):
        client.requests.read(REF)
    assert client.retrier.held() == 0.0
    assert client.steady.sleeps == []


def test_a_call_is_held_back_no_longer_than_it_may_take(server: ScriptedServer, client: Client) -> None:
    """The renewal of the lock has no budget: one that waited out another call's Retry-After would lose the lock."""
    client.retrier.hold(60.0)
    server.expect("GET", PATH, Say(200), Say(200))

    def read() -> Reply:
        return client.transport.send("get", "GET", PATH)

    assert client.retrier.call(read, budget=0.0).status == 200
    assert client.steady.sleeps == []
    assert client.retrier.call(read, budget=20.0).status == 200
    assert client.steady.sleeps == [20.0]


def test_in_a_hurry_all_requests_together_end_by_one_time(server: ScriptedServer, client: Client) -> None:
    """F19: somebody pressed Ctrl-C while the API server was away, and each request had its own two minutes."""
    server.always("GET", PATH, status(503))
    client.transport.hurry(10.0)
    began = client.steady.now
    for _ in range(3):
        with pytest.raises(ClusterUnreachable):
            client.requests.read(REF)
    assert 8 < client.steady.now - began <= 10
    assert len(server.seen) > 3, "each was tried once at least"


def test_a_pause_that_has_begun_ends_when_somebody_is_in_a_hurry(server: ScriptedServer, live_client: Client) -> None:
    server.expect("GET", PATH, Say(200))
    live_client.retrier.hold(100.0)
    waiting = threading.Thread(target=live_client.requests.read, args=(REF,), daemon=True)
    waiting.start()
    live_client.transport.hurry(0.2)
    waiting.join(10.0)
    assert not waiting.is_alive()


def test_a_storm_of_429_ends_at_the_budget_and_says_throttling(server: ScriptedServer, client: Client) -> None:
    """F7"""
    server.always("GET", PATH, status(429))
    with pytest.raises(ClusterUnreachable, match="throttling us") as caught:
        client.requests.read(REF)
    assert 110 < sum(client.steady.sleeps) <= 120
    assert max(client.steady.sleeps) <= 3.1
    assert server.url in str(caught.value)


def test_the_pauses_grow(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PATH, *[status(503)] * 5, Say(200))
    client.requests.read(REF)
    assert len(client.steady.sleeps) == 5
    assert client.steady.sleeps[4] > 4 * client.steady.sleeps[0]


def test_an_outage_is_announced_once(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PATH, *[Drop()] * 9, Say(200))
    client.requests.read(REF)
    assert len(client.lines) == 1
    assert server.url in client.lines[0]
    assert "the connection broke" in client.lines[0]


def test_an_outage_of_some_requests_is_announced_once_though_others_are_answered(
    server: ScriptedServer, client: Client
) -> None:
    """A webhook that is down fails the writes, while a lock goes on being renewed."""

    def renewed_meanwhile(seen: Seen) -> Say:
        client.requests.read(ObjectRef("", "ConfigMap", "shop", "other"))
        return status(500, "InternalError", 'failed calling webhook "check.example.com": connection refused')

    server.always("GET", PATH, renewed_meanwhile)
    server.always("GET", "/api/v1/namespaces/shop/configmaps/other", Say(200))
    client.requests.read(REF)
    outage = "cannot call its admission webhook check.example.com. Trying on for up to 60 s."
    assert [line.removeprefix(f"The API server {server.url} ") for line in client.lines] == [outage]


def test_an_outage_that_outlasts_one_request_is_no_new_one_for_the_next(server: ScriptedServer, client: Client) -> None:
    """A lock is renewed without patience, again and again."""
    server.always("GET", PATH, Drop())
    impatient = client.retrier.with_budget(10.0)
    for _ in range(3):
        with pytest.raises(ClusterUnreachable):
            impatient.call(lambda: client.transport.send("get", "GET", PATH))
    assert len(client.lines) == 1


def test_a_hiccup_is_not_announced(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PATH, Drop(), Say(200))
    client.requests.read(REF)
    assert client.lines == []


def test_a_refusal_is_an_answer_at_once(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PATH, status(403, "Forbidden", "no"))
    assert client.requests.read(REF).status == 403
    assert client.steady.sleeps == []


def test_a_401_loads_the_credentials_anew_once(server: ScriptedServer, client: Client) -> None:
    """F16"""
    server.expect("GET", PATH, status(401), Say(200))
    assert client.requests.read(REF).status == 200
    tokens = [seen.headers["Authorization"] for seen in server.seen]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


def test_a_second_401_is_the_answer(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", PATH, status(401), status(401))
    assert client.requests.read(REF).status == 401


def test_two_workers_with_the_same_stale_token_load_it_once(client: Client) -> None:
    client.transport.renew(0)
    client.transport.renew(0)
    assert client.sessions == 2


def test_a_full_etcd_ends_at_once_with_a_remedy(server: ScriptedServer, client: Client) -> None:
    """F29"""
    server.expect("GET", PATH, status(500, "", "etcdserver: mvcc: database space exceeded"))
    with pytest.raises(OperationFailed, match="out of space") as caught:
        client.requests.read(REF)
    assert "defragment" in caught.value.remedy
    assert client.steady.sleeps == []


def test_closing_ends_a_wait_between_attempts(server: ScriptedServer, live_client: Client) -> None:
    server.always("GET", PATH, lambda seen: (live_client.transport.stopped.set(), status(503))[1])
    with pytest.raises(ClusterUnreachable):
        live_client.requests.read(REF)
    assert len(server.seen) == 1


def test_a_slow_server_is_said_to_be_slow_once(server: ScriptedServer, client: Client) -> None:
    """F13"""

    def slow(seen: Seen) -> Say:
        client.steady.sleep(12.0)
        return Say(200)

    server.always("GET", PATH, slow)
    client.requests.read(REF)
    client.requests.read(REF)
    assert len(client.lines) == 1
    assert "12 s to answer" in client.lines[0]


def test_what_one_request_waited_for_a_webhook_no_other_waits_for_again(server: ScriptedServer, client: Client) -> None:
    """F24: a webhook over everything stops the lock's writes and the records' too, one after the other."""
    down = status(500, "InternalError", 'failed calling webhook "all.example.com": connection refused')
    other = "/api/v1/namespaces/shop/configmaps/other"
    server.always("GET", PATH, down)
    server.always("GET", other, down)
    assert client.requests.read(REF).status == 500
    waited = sum(client.steady.sleeps)
    assert 50 < waited <= 60
    assert client.requests.read(REF._replace(name="other")).status == 500
    impatient = client.retrier.with_budget(30.0)
    impatient.call(lambda: client.transport.send("get", "GET", other))
    assert sum(client.steady.sleeps) <= 60
    client.steady.sleep(30.0)
    began = sum(client.steady.sleeps)
    client.requests.read(REF)
    assert sum(client.steady.sleeps) - began > 50, "another outage"
