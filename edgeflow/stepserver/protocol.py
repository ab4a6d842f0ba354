"""Messages between a step's command, the server and its warm processes: JSON with descriptors.

Standard library only, as little of it as can be: each step's command imports this.
"""

import json
import os
import socket
import struct
from typing import Any

ADDRESS = "EDGEFLOW_STEP_SERVER"
"""Variable with the path of the server's socket, for Snakemake's jobs; `off` for no server."""
OFF = "off"
_HEAD_BYTES = 4
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


def send(connection: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    """Send a message, and copies of open files with it."""
    data = json.dumps(message).encode()
    frame = len(data).to_bytes(_HEAD_BYTES, "big") + data
    sent = socket.send_fds(connection, [frame], descriptors)
    connection.sendall(frame[sent:])


def receive(connection: socket.socket, descriptors: int) -> tuple[dict[str, Any], list[int]] | None:
    """Return a message and the open files that came with it; None if there is no whole one.

    Args:
        connection: a stream.
        descriptors: how many open files the message brings.
    """
    head, files, _, _ = socket.recv_fds(
        connection, _HEAD_BYTES, descriptors, socket.MSG_CMSG_CLOEXEC
    )
    data = head + _exactly(connection, _HEAD_BYTES - len(head)) if head else b""
    body = _exactly(connection, int.from_bytes(data, "big"))
    if not body or len(files) != descriptors:
        for file in files:
            os.close(file)
        return None
    return json.loads(body), files


def _exactly(connection: socket.socket, size: int) -> bytes:
    """Return `size` bytes, or none where the stream ends before."""
    blocks: list[bytes] = []
    while size:
        block = connection.recv(min(size, 1 << 20))
        if not block:
            return b""
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def is_ours(connection: socket.socket) -> bool:
    """Return whether the process at the other end is of this very user."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return bool(_CREDENTIALS.unpack(found)[1] == os.getuid())
