"""A scripted server per test, which fails the test when it was asked for something else than its script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.cluster.scripted import Client, ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as scripted:
        yield scripted
    assert scripted.unexpected == []


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    """In virtual time."""
    with Client(server) as built:
        yield built


@pytest.fixture
def live_client(server: ScriptedServer) -> Iterator[Client]:
    """In real time, for threads."""
    with Client(server, real_time=True) as built:
        yield built
