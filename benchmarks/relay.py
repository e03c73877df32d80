"""A relay of bytes that adds a round trip: every piece waits half of it in each direction. It reads nothing, so TLS and
HTTP/2 pass through untouched and every tool meets the same distance. (The kernels it runs on need no netem.)

As a program: python -m benchmarks.relay --to HOST:PORT --round-trip-ms 20      prints its address, ends on SIGTERM
Its own limit: python -m benchmarks.relay --ceiling                             exchanges a second through it
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]


class _Side(asyncio.Protocol):
    """One end of a relayed connection: what arrives here leaves at the other end, later."""

    def __init__(self, half: float) -> None:
        self.half = half
        self.other: _Side | None = None
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._not_before = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early.append(data)
        else:
            self._later(self.other._write, data)

    def connection_lost(self, error: Exception | None) -> None:
        if self.other is not None:
            self._later(self.other._close)

    def join(self, other: _Side) -> None:
        """From now on pass on to `other`, what has arrived already included."""
        self.other = other
        for data in self._early:
            self._later(other._write, data)

    def _later(self, act: Callable[..., None], *arguments: bytes) -> None:
        loop = asyncio.get_running_loop()
        # Timers of one moment may fire in any order; bytes must not.
        self._not_before = max(loop.time() + self.half, self._not_before + 1e-6)
        loop.call_at(self._not_before, act, *arguments)

    def _write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()


class _Accepted(_Side):
    """The client's end. Opening a connection at a distance costs a round trip before the first byte."""

    def __init__(self, half: float, host: str, port: int, tasks: set[asyncio.Task[None]]) -> None:
        super().__init__(half)
        self._to, self._tasks = (host, port), tasks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        task = asyncio.get_running_loop().create_task(self._open())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        await asyncio.sleep(2 * self.half)
        try:
            _, far = await asyncio.get_running_loop().create_connection(lambda: _Side(self.half), *self._to)
        except OSError:
            self._close()
            return
        far.join(self)
        self.join(far)


async def serve(host: str, port: int, round_trip: float) -> asyncio.Server:
    """Relay a free port of 127.0.0.1 to host:port, `round_trip` seconds away."""
    tasks: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: _Accepted(round_trip / 2, host, port, tasks), "127.0.0.1", 0, backlog=256)


@contextmanager
def relayed(kubeconfig: Path, round_trip_ms: float, to: Path) -> Iterator[Path]:
    """A kubeconfig (written to `to`) whose server is that far away; the same file when it is no distance at all."""
    if not round_trip_ms:
        yield kubeconfig
        return
    document = yaml.safe_load(kubeconfig.read_text())
    cluster = document["clusters"][0]["cluster"]
    argv = [sys.executable, "-m", "benchmarks.relay"]
    argv += ["--to", urlsplit(cluster["server"]).netloc, "--round-trip-ms", str(round_trip_ms)]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, process_group=0) as process:
        try:
            address = cast(IO[str], process.stdout).readline().strip()
            cluster["server"] = f"https://{address}"
            to.touch(mode=0o600)
            to.write_text(yaml.safe_dump(document))
            yield to
        finally:
            process.terminate()


async def _relay(host: str, port: int, round_trip: float) -> None:
    server = await serve(host, port, round_trip)
    print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


class _Echo(_Side):
    def data_received(self, data: bytes) -> None:
        self._write(data)


async def _ask(port: int, count: int, size: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(b"x" * size)
        await reader.readexactly(size)
    writer.close()


async def ceiling(connections: int = 32, count: int = 400, size: int = 2000) -> float:
    """Exchanges a second through a relay without delay, both ends of it sharing its one core: a lower bound."""
    echo = await asyncio.get_running_loop().create_server(lambda: _Echo(0.0), "127.0.0.1", 0)
    server = await serve("127.0.0.1", echo.sockets[0].getsockname()[1], 0.0)
    port, began = server.sockets[0].getsockname()[1], time.perf_counter()
    await asyncio.gather(*(_ask(port, count, size) for _ in range(connections)))
    took = time.perf_counter() - began
    server.close()
    echo.close()
    return connections * count / took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", default="127.0.0.1:6443", help="host:port of the API server")
    parser.add_argument("--round-trip-ms", type=float, default=20.0)
    parser.add_argument("--ceiling", action="store_true", help="measure the relay itself instead")
    options = parser.parse_args()
    if options.ceiling:
        print(f"{asyncio.run(ceiling()):.0f} exchanges a second, 32 connections, 2 kB each way")
        return
    host, _, port = options.to.rpartition(":")
    asyncio.run(_relay(host, int(port), options.round_trip_ms / 1000))


if __name__ == "__main__":
    main()
