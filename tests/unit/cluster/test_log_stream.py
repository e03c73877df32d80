"""A log that is followed: lines as they come, whole, and an honest end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakery_ops.cluster.log_stream import follow
from bakery_ops.errors import OperationFailed
from tests.unit.cluster.scripted import Client, Drop, Say, ScriptedServer, status

LOG = "/api/v1/namespaces/shop/pods/p/log"


def followed(client: Client, *, tail: int | None = None, since: int | None = None) -> list[str]:
    return list(follow(client.transport, "shop", "p", "c", tail_lines=tail, since_seconds=since))


def test_lines_come_whole_and_raw_the_last_one_without_its_newline_too(server: ScriptedServer, client: Client) -> None:
    server.expect("GET", LOG, Say(200, b"one\n\xff\x1b[31mtwo\n\nlast"))
    assert followed(client, tail=5, since=60) == ["one", "�\x1b[31mtwo", "", "last"]
    assert server.seen[0].query == {"container": "c", "follow": "true", "tailLines": "5", "sinceSeconds": "60"}


@pytest.mark.parametrize(
    ("trouble", "why"),
    [(status(400, "BadRequest", "is waiting to start"), "400: is waiting to start"), (Drop(), ".")],
    ids=["refused", "cut"],
)
def test_a_stream_that_cannot_be_had_is_an_error_and_not_an_empty_log(
    server: ScriptedServer, client: Client, trouble: Say | Drop, why: str
) -> None:
    server.expect("GET", LOG, trouble)
    with pytest.raises(OperationFailed, match=why):
        followed(client)
    assert len(server.seen) == 1


class Endless:
    """A transport whose stream never ends; it knows whether it was let go."""

    status = 200
    released = False

    def stream(self, *request: object, **more: object) -> Endless:
        return self

    def chunks(self) -> Iterator[bytes]:
        while True:
            yield b"line\n"

    def release(self) -> None:
        self.released = True


def test_whoever_stops_listening_lets_the_stream_go() -> None:
    endless = Endless()
    lines = follow(endless, "shop", "p", "c", tail_lines=None, since_seconds=None)  # type: ignore[arg-type]
    assert next(lines) == "line"
    assert not endless.released
    lines.close()  # type: ignore[attr-defined]
    assert endless.released
