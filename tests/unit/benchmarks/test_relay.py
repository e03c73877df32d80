"""The relay delays bytes and changes none. What it costs is measured by `python -m benchmarks.relay --ceiling`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks import relay

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def through(talk: Talk, round_trip: float = 0.0) -> None:
    """Talk to an echo behind a relay, and return when both ends of the relayed connection are closed."""
    ended = asyncio.Event()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()
        ended.set()

    far = await asyncio.start_server(echo, "127.0.0.1", 0)
    near = await relay.serve("127.0.0.1", far.sockets[0].getsockname()[1], round_trip)
    reader, writer = await asyncio.open_connection("127.0.0.1", near.sockets[0].getsockname()[1])
    await talk(reader, writer)
    writer.close()
    await writer.wait_closed()
    await ended.wait()
    near.close()
    far.close()


def test_all_bytes_arrive_in_their_order() -> None:
    sent = bytes(range(256)) * 8192

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent

    asyncio.run(through(talk))


def test_each_exchange_takes_a_round_trip_and_the_first_another_one_to_connect() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(b"x")
            await reader.readexactly(1)

    async def timed() -> float:
        began = asyncio.get_running_loop().time()
        await through(talk, round_trip=0.04)
        return asyncio.get_running_loop().time() - began

    assert asyncio.run(timed()) >= 4 * 0.04
