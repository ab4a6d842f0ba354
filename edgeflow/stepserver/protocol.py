"""Messages to the server and its warm processes: a size and a literal, with open files."""

import ast
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from edgeflow.stepserver.client import HEAD_BYTES

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


def send(connection: socket.socket, message: Mapping[str, Any], files: Sequence[int]) -> None:
    """Send a message, and copies of open files with it."""
    data = repr(message).encode("utf-8", "surrogatepass")
    socket.send_fds(connection, [len(data).to_bytes(HEAD_BYTES, "big")], files)
    connection.sendall(data)


def receive(connection: socket.socket, files: int) -> tuple[dict[str, Any], list[int]] | None:
    """Return a message and the open files that came with it; None if there is no whole one.

    Args:
        connection: a stream.
        files: how many open files the message brings.
    """
    head, opened, _, _ = socket.recv_fds(connection, HEAD_BYTES, files, socket.MSG_CMSG_CLOEXEC)
    body = _exactly(connection, int.from_bytes(head, "big"))
    if not body or len(opened) != files:
        for file in opened:
            os.close(file)
        return None
    return ast.literal_eval(body.decode("utf-8", "surrogatepass")), opened


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


def peer(connection: socket.socket) -> int | None:
    """Return the id of the process at the other end; None if it is not of this very user."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(found)
    return int(process) if user == os.getuid() else None
