"""Messages between the service and its worker: a JSON object, and bytes, over one socket.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

PROTOCOL = 1
"""What both ends speak; they may be of different releases."""
SIZES = struct.Struct(">II")
HEADER_MAX_BYTES = 4 << 20
BODY_MAX_BYTES = 256 << 20

Frame = Any  # tuple[dict[str, Any], bytes]: Python 3.7 cannot say so at run time


def send(channel: socket.socket, header: dict[str, Any], body: bytes = b"") -> None:
    """Send one message."""
    text = json.dumps(header, allow_nan=False).encode()
    channel.sendall(SIZES.pack(len(text), len(body)) + text)
    if body:
        channel.sendall(body)


def receive(channel: socket.socket, deadline: float | None = None) -> Frame:
    """Return the next message as header and body.

    Args:
        channel: the socket.
        deadline: of the monotonic clock.

    Raises:
        EOFError: the other end is gone.
        socket.timeout: the deadline is over.
        ValueError: it is no message.
    """
    text_bytes, body_bytes = SIZES.unpack(_exactly(channel, SIZES.size, deadline))
    if text_bytes > HEADER_MAX_BYTES or body_bytes > BODY_MAX_BYTES:
        raise ValueError("a message of %d and %d bytes" % (text_bytes, body_bytes))
    header = json.loads(_exactly(channel, text_bytes, deadline).decode())
    if not isinstance(header, dict):
        raise ValueError("a message without a header")
    return header, _exactly(channel, body_bytes, deadline)


def _exactly(channel: socket.socket, count: int, deadline: float | None) -> bytes:
    found = bytearray(count)
    view, done = memoryview(found), 0
    while done < count:
        if deadline is not None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise socket.timeout("no answer in time")
            channel.settimeout(left_s)
        got = channel.recv_into(view[done:])
        if not got:
            raise EOFError("the other end is gone")
        done += got
    return bytes(found)
