"""A TCP proxy that breaks connections on purpose, for tests of what happens then."""

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Literal, Self

Fault = Literal["none", "reset", "hang", "silent"]

_BLOCK_BYTES = 4 << 10


class FaultProxy:
    """Forwards loopback connections until a fault strikes; runs in a thread of its own.

    Args:
        port: where the real server listens.
        fault: ``reset`` cuts with RST once `after_bytes` came from the client, ``hang`` then
            keeps the connection and passes nothing on, ``silent`` never answers at all.
        after_bytes: bytes from the client that get through, over all connections.
    """

    def __init__(self, port: int, fault: Fault, after_bytes: int = 0) -> None:
        self.fault: Fault = fault
        self.passed_bytes = 0
        self._target, self._after_bytes = port, after_bytes
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ends: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def reset(self) -> None:
        """Cut every open connection with RST, now."""
        self._loop.call_soon_threadsafe(self._cut)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket)
        await self._stop.wait()
        server.close()
        self._cut()
        await asyncio.gather(*self._connections)

    def _accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._connections.add(self._loop.create_task(self._attend(client, back)))

    async def _attend(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self.fault == "silent":
            await self._stop.wait()
            await self._close(back)
            return
        device, forth = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends |= {back, forth}
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._upload(client, forth))
                pumps.create_task(self._download(device, back))
        except* ConnectionError:
            pass
        finally:
            self._ends -= {back, forth}
            await self._close(back)
            await self._close(forth)

    async def _close(self, end: asyncio.StreamWriter) -> None:
        end.close()
        with contextlib.suppress(ConnectionError):
            await end.wait_closed()

    async def _upload(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while block := await source.read(_BLOCK_BYTES):
            if self.fault == "hang" and self.passed_bytes >= self._after_bytes:
                await self._stop.wait()
                return
            if self.fault == "reset" and self.passed_bytes >= self._after_bytes:
                self._cut()
            self.passed_bytes += len(block)
            sink.write(block)
            await sink.drain()
        sink.close()

    async def _download(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while block := await source.read(_BLOCK_BYTES):
            sink.write(block)
            await sink.drain()
        sink.close()

    def _cut(self) -> None:
        for end in [end for end in self._ends if not end.is_closing()]:
            raw: socket.socket = end.get_extra_info("socket")
            # Linger for 0 s: closing sends RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()
