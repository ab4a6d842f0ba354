"""A small SSH agent, which also has a key like those of security keys."""

import base64
import hashlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SK = "sk-ssh-ed25519@openssh.com"
_APPLICATION = b"ssh:"
_REQUEST_IDENTITIES, _IDENTITIES, _SIGN, _SIGNED, _FAILURE = 11, 12, 13, 14, 5


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class SecurityKey:
    """Signs as a FIDO token does (PROTOCOL.u2f of OpenSSH), with a key in memory."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes_raw()
        self.blob = _string(SK.encode()) + _string(public) + _string(_APPLICATION)
        self.line = f"{SK} {base64.b64encode(self.blob).decode()}"

    def sign(self, data: bytes) -> bytes:
        """Return an SSH signature: the token signs digests, its flags and a counter."""
        state = struct.pack(">BI", 1, 7)
        digests = [hashlib.sha256(part).digest() for part in (_APPLICATION, data)]
        signature = self._key.sign(digests[0] + state + digests[1])
        return _string(SK.encode()) + _string(signature) + state


def _answer(key: SecurityKey, request: bytes) -> bytes:
    if request[0] == _REQUEST_IDENTITIES:
        return struct.pack(">BI", _IDENTITIES, 1) + _string(key.blob) + _string(b"token")
    (size,) = struct.unpack(">I", request[1:5])
    (length,) = struct.unpack(">I", request[5 + size : 9 + size])
    if request[0] != _SIGN or request[5 : 5 + size] != key.blob:
        return bytes([_FAILURE])
    return bytes([_SIGNED]) + _string(key.sign(request[9 + size : 9 + size + length]))


def _serve(listener: socket.socket, key: SecurityKey) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rwb") as stream:
            while header := stream.read(4):
                request = stream.read(struct.unpack(">I", header)[0])
                stream.write(_string(_answer(key, request)))
                stream.flush()


@contextmanager
def agent_with(key: SecurityKey, path: Path) -> Iterator[None]:
    """Serve an agent at a socket path, one client at a time."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()
        thread = threading.Thread(target=_serve, args=(listener, key), daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
