"""One exchange, and what its failure means for a write."""

from __future__ import annotations

import threading

import pytest

from bakery_ops.cluster.transport import Timeouts
from bakery_ops.cluster.troubles import TransportError, Trouble
from tests.unit.cluster.scripted import Client, Drop, Hold, Say, ScriptedServer, Watch


def failure(client: Client, method: str = "GET", **more: object) -> TransportError:
    with pytest.raises(TransportError) as caught:
        client.transport.send("test", method, "/x", **more)  # type: ignore[arg-type]
    return caught.value


def test_an_answer_carries_status_body_and_times(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", "/x", Say(200, {"a": 1}))
    reply = client.transport.send("get", "GET", "/x", {"watch": True, "limit": 5, "fieldSelector": "a!=b,c=d"})
    assert (reply.status, reply.body, reply.date) == (200, b'{"a": 1}', 1704067200.0)
    assert server.seen[0].query == {"watch": "true", "limit": "5", "fieldSelector": "a!=b,c=d"}


def test_a_connection_broken_after_the_request_leaves_a_write_in_doubt(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", "/x", Drop())
    error = failure(client, "PATCH", body=b"{}")
    assert (error.trouble, error.sent) == (Trouble.RESET, True)


def test_a_silent_server_leaves_a_write_in_doubt(server: ScriptedServer, client: Client) -> None:
    server.expect("PATCH", "/x", Hold())
    error = failure(client, "PATCH", body=b"{}", timeouts=Timeouts(1.0, 0.05))
    assert (error.trouble, error.sent) == (Trouble.TIMEOUT, True)


def test_a_refused_connection_leaves_no_doubt() -> None:
    with ScriptedServer() as gone:
        client = Client(gone)
    error = failure(client, "PATCH", body=b"{}")
    assert (error.trouble, error.sent) == (Trouble.REFUSED, False)
    client.transport.close()


def test_connections_are_kept_and_used_again(server: ScriptedServer, client: Client) -> None:
    server.always("GET", "/x", Say(200, {"a": 1}))
    server.always("GET", "/refused", Say(422, {"a": 1}))
    for path in ("/x", "/refused", "/x", "/x"):
        client.transport.send("get", "GET", path)
    pool = client.pool.connection_from_url(server.url)
    assert pool.num_connections == 1  # type: ignore[attr-defined]


def test_only_the_beginning_of_a_giant_error_is_read(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", "/x", Say(500, b"x" * 10_000_000), Say(200))
    assert len(client.transport.send("get", "GET", "/x").body) == 65536
    assert client.transport.send("get", "GET", "/x").status == 200


def test_a_stream_is_read_as_it_arrives_and_closed_from_another_thread(
    server: ScriptedServer, live_client: Client
) -> None:
    server.expect("GET", "/x", Watch((b"one\n", b"two\n"), "hold"))
    stream = live_client.transport.stream("/x", {}, timeouts=Timeouts(1.0, 30.0))
    chunks = stream.chunks()
    assert [next(chunks), next(chunks)] == [b"one\n", b"two\n"]
    threading.Thread(target=stream.close).start()
    with pytest.raises(TransportError):
        next(chunks)
    stream.release()
    stream.close()


def test_requests_are_counted_by_verb(server: ScriptedServer, client: Client) -> None:
    server.always("GET", "/x", Say(200))
    for verb in ("get", "list", "get"):
        client.transport.send(verb, "GET", "/x")
    assert client.transport.requests == {"get": 2, "list": 1}
