"""A scripted server per test, which fails the test when it was asked for something else than its script."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakery_ops.sandbox.pki import Leaf, write_pki
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


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    write_pki(
        directory,
        [Leaf("server", "server", hosts=("127.0.0.1",)), Leaf("other", "x", hosts=("api.example",)), Leaf("me", "me")],
    )
    return directory


@pytest.fixture
def secure(pki: Path) -> Iterator[ScriptedServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    tls.load_verify_locations(pki / "ca.crt")
    tls.verify_mode = ssl.CERT_OPTIONAL
    with ScriptedServer(tls) as scripted:
        yield scripted
    assert scripted.unexpected == []
