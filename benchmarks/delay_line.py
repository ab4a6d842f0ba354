"""A TCP proxy with the delay of a long way: ``python -m benchmarks.delay_line PORT ROUND_TRIP_MS``.

Every byte arrives half a round trip later, and as many may be on the way as are sent: it limits
no rate. It prints the port where it listens, and ends with its standard input.
"""

import asyncio
import contextlib
import socket
import sys

_BLOCK_BYTES = 256 << 10


async def _read(source: asyncio.StreamReader, way: "asyncio.Queue[tuple[float, bytes]]") -> None:
    now = asyncio.get_running_loop().time
    with contextlib.suppress(ConnectionError):
        while block := await source.read(_BLOCK_BYTES):
            way.put_nowait((now(), block))
    way.put_nowait((now(), b""))


async def _write(
    sink: asyncio.StreamWriter, way: "asyncio.Queue[tuple[float, bytes]]", delay_s: float
) -> None:
    now = asyncio.get_running_loop().time
    with contextlib.suppress(ConnectionError):
        while True:
            sent, block = await way.get()
            if (left := sent + delay_s - now()) > 0:
                await asyncio.sleep(left)
            if not block:
                break
            sink.write(block)
            await sink.drain()
    sink.close()


async def _forward(
    client: asyncio.StreamReader, back: asyncio.StreamWriter, port: int, delay_s: float
) -> None:
    await asyncio.sleep(2 * delay_s)  # the handshake of TCP takes a round trip of its own
    server, forth = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.TaskGroup() as ways:
        for source, sink in ((client, forth), (server, back)):
            sink.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
            ways.create_task(_read(source, way))
            ways.create_task(_write(sink, way, delay_s))


async def serve(port: int, round_trip_ms: float) -> None:
    """Forward connections to a port of this machine until standard input ends."""

    async def accept(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the end
            await _forward(client, back, port, round_trip_ms / 2000)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
