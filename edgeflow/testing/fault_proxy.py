"""A TCP proxy that breaks connections on purpose, for tests of what happens then."""

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

Fault = Literal["none", "reset", "close", "hang", "silent"]
End = Literal["device", "client"]
Way = asyncio.Queue[tuple[float, bytes]]

_BLOCK_BYTES = 4 << 10
_STALL_EVERY = 5
"""Of so many blocks one is late, as if a fifth of all packets were lost and sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A way that takes its time.

    Attributes:
        round_trip_s: there and back.
        rate: bytes per second in each direction; 0 sets no limit.
        stall_s: how much later a lost block comes; 0 loses none.
    """

    round_trip_s: float = 0.0
    rate: float = 0.0
    stall_s: float = 0.0


class FaultProxy:
    """Forwards loopback connections until a fault strikes; runs in a thread of its own.

    Args:
        port: where the real server listens.
        fault: ``reset`` cuts with RST and ``close`` with FIN once `after_bytes` came, ``hang`` then
            keeps the connection and passes nothing on in either direction, ``silent`` never
            answers at all.
        after_bytes: bytes that get through, over all connections, on their way to `towards`.
        towards: whose bytes are counted.
        link: what the way is like.
    """

    def __init__(
        self,
        port: int,
        fault: Fault,
        after_bytes: int = 0,
        towards: End = "device",
        link: Link = Link(),
    ) -> None:
        self.fault: Fault = fault
        self.passed: dict[End, int] = {"device": 0, "client": 0}
        self._target, self._after_bytes, self._towards = port, after_bytes, towards
        self._link, self._struck, self._held_until = link, False, 0.0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ends: set[asyncio.StreamWriter] = set()
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def passed_bytes(self) -> int:
        """How many bytes got through to the device."""
        return self.passed["device"]

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

    def limit(self, rate: float) -> None:
        """Let no more than `rate` bytes per second pass in each direction from now on."""
        self._link = replace(self._link, rate=rate)

    def hold(self, seconds: float) -> None:
        """Let nothing pass for some time, as if the link were down; then let all of it pass."""
        self._held_until = self._loop.time() + seconds

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
                ways: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, End]] = [
                    (client, forth, "device"),
                    (device, back, "client"),
                ]
                for source, sink, towards in ways:
                    way: Way = asyncio.Queue()
                    pumps.create_task(self._take(source, way))
                    pumps.create_task(self._give(way, sink, towards))
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

    async def _take(self, source: asyncio.StreamReader, way: Way) -> None:
        while block := await source.read(_BLOCK_BYTES):
            way.put_nowait((self._loop.time(), block))
            if self._link.rate:
                await asyncio.sleep(len(block) / self._link.rate)
        way.put_nowait((self._loop.time(), b""))

    async def _give(self, way: Way, sink: asyncio.StreamWriter, towards: End) -> None:
        for number in itertools.count():
            sent, block = await way.get()
            stall_s = self._link.stall_s if number % _STALL_EVERY == _STALL_EVERY - 1 else 0.0
            due = max(sent + self._link.round_trip_s / 2 + stall_s, self._held_until)
            if (late_s := due - self._loop.time()) > 0:
                await asyncio.sleep(late_s)
            if not block:
                break
            if self._strikes(towards):
                return
            if self._struck:
                await self._stop.wait()
                return
            self.passed[towards] += len(block)
            sink.write(block)
            await sink.drain()
        sink.close()

    def _strikes(self, towards: End) -> bool:
        """Let the fault strike if its time has come; tell whether that ends the connections."""
        if towards != self._towards or self.passed[towards] < self._after_bytes:
            return False
        self._struck = self.fault == "hang"
        if self.fault == "reset":
            self._cut()
        if self.fault == "close":
            for end in self._ends:
                end.close()
        return self.fault in ("reset", "close")

    def _cut(self) -> None:
        for end in [end for end in self._ends if not end.is_closing()]:
            raw: socket.socket = end.get_extra_info("socket")
            # Linger for 0 s: closing sends RST instead of FIN.
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()
