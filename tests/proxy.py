"""A TLS proxy between the tool and a real API server that breaks what it is told to break.

In a test:      with FaultProxy(upstream_of(kubeconfig, pki)) as proxy: proxy.rules.add(Rule(LoseResponse(), "PATCH")) …
As a program:   python -m tests.proxy --kubeconfig FILE --pki DIR --write NEW-KUBECONFIG [--round-trip-ms 20]
It ends TLS itself with the API server's own certificate, and speaks to the server as the client of the kubeconfig.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import signal
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import yaml

from tests.proxy_faults import (
    Answer,
    Call,
    Delay,
    HalfOpen,
    LoseResponse,
    Outage,
    Partition,
    Reset,
    Rules,
    Stall,
    Tell,
    WatchLines,
)

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER 0: close sends RST, not FIN


class Upstream(NamedTuple):
    """The API server behind the proxy: its address, how to reach it, and what the proxy shows to its own clients."""

    host: str
    port: int
    client_tls: ssl.SSLContext
    server_tls: ssl.SSLContext
    kubeconfig: dict[str, Any]


def upstream_of(kubeconfig: Path, pki: Path) -> Upstream:
    """From a kubeconfig with embedded client certificates, and the directory that holds apiserver.crt and .key."""
    document = yaml.safe_load(kubeconfig.read_text())
    cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    client = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        pair.flush()
        client.load_cert_chain(pair.name)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    address = urlsplit(cluster["server"])
    assert address.hostname is not None
    assert address.port is not None
    return Upstream(address.hostname, address.port, client, server, document)


class Kill(NamedTuple):
    """SIGKILL the tool at the mutating call number `mutation` (1 is the first).

    cut "A": the server has carried it out, the answer is withheld. cut "B": before the next one reaches the server.
    """

    mutation: int
    cut: str


class FaultProxy:
    """Runs in a thread of its own. `rules` may be changed at any time; so may `round_trip` (seconds added to each)."""

    def __init__(self, upstream: Upstream, *, round_trip: float = 0.0) -> None:
        self.upstream, self.round_trip = upstream, round_trip
        self.rules = Rules()
        self.calls = 0  # of any kind, as they arrived
        self.mutations: list[Call] = []
        self.kill: Kill | None = None
        self.victim: int | None = None  # the process to kill
        self.killed = threading.Event()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()  # not parted
        self._whole.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._outages: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *problem: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def write_kubeconfig(self, path: Path) -> Path:
        """The upstream's kubeconfig, but through this proxy."""
        document = {**self.upstream.kubeconfig}
        cluster = {**document["clusters"][0]["cluster"], "server": self.server}
        document["clusters"] = [{**document["clusters"][0], "cluster": cluster}]
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        return path

    def cut(self) -> None:
        """Reset every connection; new ones work."""
        self._do(self._cut())

    def stall(self) -> None:
        """Let no byte pass any more on the connections there are, without closing them; new ones work."""
        for link in tuple(self._links):
            link.stalled = True

    def begin_outage(self) -> None:
        """Refuse new connections and reset all there are."""
        self._do(self._close())

    def end_outage(self) -> None:
        self._do(self._listen())

    # --- in the proxy's own thread ---

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self.upstream.server_tls, reuse_address=True, backlog=256
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    def arrange(self, outage: Outage) -> None:
        """Begin an outage after its time, and end it after its time."""
        task = self._loop.create_task(self._pass_through(outage))
        self._outages.add(task)
        task.add_done_callback(self._outages.discard)

    def part(self, partition: Partition) -> None:
        """Begin a partition after its time, and end it after its time."""
        self._loop.call_later(partition.after, self._whole.clear)
        self._loop.call_later(partition.after + partition.seconds, self._whole.set)

    async def parted(self) -> bool:
        """Wait for the end of a partition; whether there was one."""
        if self._whole.is_set():
            return False
        await self._whole.wait()
        return True

    def fall_silent(self, after: float) -> None:
        self._loop.call_later(after, self.stall)

    async def _pass_through(self, outage: Outage) -> None:
        await asyncio.sleep(outage.after)
        await self._close()
        await asyncio.sleep(outage.seconds)
        await self._listen()

    async def _end(self) -> None:
        for outage in tuple(self._outages):
            outage.cancel()
        await self._close()

    async def _cut(self) -> None:
        known: set[_Link] = set()
        while self._links:  # one that was being accepted may come after the others were reset
            for link in self._links - known:
                link.reset()
            known |= self._links
            await asyncio.sleep(0.005)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        # A task of its own: asyncio.streams complains aloud about a connection callback that is cancelled.
        link.task = self._loop.create_task(link.run())
        link.task.add_done_callback(lambda task: self._links.discard(link))

    def arrived(self, call: Call) -> int:
        """Count a mutating call; its number, 0 for others. Kills before it is passed on, for cut B."""
        self.calls += 1
        if not call.mutates:
            return 0
        self.mutations.append(call)
        number = len(self.mutations)
        if self.kill and self.kill.cut == "B" and number == self.kill.mutation + 1:
            self.strike()
        return number

    def carried_out(self, number: int) -> bool:
        """After the server's answer to a mutating call: whether it is to be withheld, the tool being dead (cut A)."""
        if self.kill and self.kill.cut == "A" and number == self.kill.mutation:
            self.strike()
        return self.killed.is_set()

    def strike(self) -> None:
        if self.victim is not None and not self.killed.is_set():
            self.killed.set()
            self.tell(signal.SIGKILL)

    def tell(self, number: signal.Signals) -> None:
        assert self.victim is not None
        os.kill(self.victim, number)


class _Link:
    """One connection of a client, with its own connection to the server."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.stalled = False
        self.task: asyncio.Task[None] | None = None

    def reset(self) -> None:
        linked = self._writer.get_extra_info("socket")
        if linked is not None:
            with contextlib.suppress(OSError):
                linked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()
        if self.task is not None:
            self.task.cancel()

    async def run(self) -> None:
        try:
            # A connection at a distance: one round trip for TCP, one for TLS.
            await asyncio.sleep(2 * self._proxy.round_trip)
            while await self._exchange():
                pass
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            self._writer.transport.abort()
            if self._upstream is not None:
                self._upstream[1].transport.abort()

    async def _exchange(self) -> bool:
        """One request and its answer; False when the connection is over."""
        head = await _head(self._reader)
        if head is None:
            return False
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        body = [chunk async for chunk in _body(self._reader, head)]
        if await self._proxy.parted() and self._reader.at_eof():
            return False  # given up meanwhile: it never arrived
        call = Call(method, target)
        fault = self._proxy.rules.take(call)
        await asyncio.sleep(self._proxy.round_trip / 2)
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Answer | WatchLines):
            await self._send(fault.raw())
            return True
        if isinstance(fault, Reset):
            self.reset()
            return False
        number = self._proxy.arrived(call)
        if self._proxy.killed.is_set():
            return False
        if isinstance(fault, Stall):
            self.stalled = True
        if isinstance(fault, Outage):
            self._proxy.arrange(fault)
        if isinstance(fault, HalfOpen):
            self._proxy.fall_silent(fault.after)
        if isinstance(fault, Partition):
            self._proxy.part(fault)
        if isinstance(fault, Tell):
            self._proxy.tell(fault.signal)
        reader = await self._forward(head, body)
        return await self._answer(reader, call, number, lose=isinstance(fault, LoseResponse))

    async def _forward(self, head: bytes, body: list[bytes]) -> asyncio.StreamReader:
        upstream = self._proxy.upstream
        if self._upstream is None:
            self._upstream = await asyncio.open_connection(upstream.host, upstream.port, ssl=upstream.client_tls)
        reader, writer = self._upstream
        writer.write(head + b"".join(body))
        await writer.drain()
        return reader

    async def _answer(self, reader: asyncio.StreamReader, call: Call, number: int, *, lose: bool) -> bool:
        head = await _head(reader)
        if head is None:
            return False
        if not call.is_watch and (lose or number):
            rest = [chunk async for chunk in _body(reader, head, call.method)]
            if self._proxy.carried_out(number):
                return False
            if lose:
                self.reset()
                return False
            await self._send(head + b"".join(rest), later=self._proxy.round_trip / 2)
            return True
        await self._send(head, later=self._proxy.round_trip / 2)
        async for chunk in _body(reader, head, call.method):
            await self._send(chunk)
        return True

    async def _send(self, data: bytes, later: float = 0.0) -> None:
        """Pass data on. A stream is held back once, at its head: what follows keeps that distance by itself."""
        await asyncio.sleep(later)
        while self.stalled:
            await asyncio.sleep(0.05)
        await self._proxy.parted()
        self._writer.write(data)
        await self._writer.drain()


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _body(reader: asyncio.StreamReader, head: bytes, method: str = "") -> AsyncIterator[bytes]:
    """The raw bytes of a message body, framing included, as they arrive."""
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while True:
            size = await reader.readuntil(b"\r\n")
            chunk = await reader.readexactly(int(size, 16) + 2)
            yield size + chunk
            if size.strip() == b"0":
                return
    position = lower.find(b"content-length:")
    if position >= 0 and method != "HEAD":
        remaining = int(lower[position + 15 :].split(b"\r\n", 1)[0])
        while remaining:
            piece = await reader.read(min(remaining, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", remaining)
            remaining -= len(piece)
            yield piece


def main() -> None:
    parser = argparse.ArgumentParser(description="Add a round trip to an API server, for benchmarks.")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--pki", type=Path, required=True)
    parser.add_argument("--write", type=Path, required=True, help="where the kubeconfig through the proxy goes")
    parser.add_argument("--round-trip-ms", type=float, default=0.0)
    options = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    upstream = upstream_of(options.kubeconfig, options.pki)
    with FaultProxy(upstream, round_trip=options.round_trip_ms / 1000) as proxy:
        proxy.write_kubeconfig(options.write)
        print(f"ready at {proxy.server}", flush=True)  # noqa: T201 the program's one line of output
        signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
