"""The public half of a key, without the private one."""

import base64
import binascii
import struct
from pathlib import Path

_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----"
_MAGIC = b"openssh-key-v1\0"
_KEY_MAX_BYTES = 1 << 20


def public_half(path: Path) -> str | None:
    """Return ``ssh-ed25519 AAAA...`` of a key file; None if it cannot be told.

    It stands in the file itself if that is a public key, beside it in ``.pub``, or, in OpenSSH's
    own format, before the encrypted part.
    """
    for file in (path, path.with_name(f"{path.name}.pub")):
        line = _line(_content(file))
        if line is not None:
            return line
    return _from_private(_content(path))


def is_pair(path: Path) -> bool:
    """Tell whether a private key and the ``.pub`` beside it are one key, as far as both tell."""
    beside, own = _line(_content(path.with_name(f"{path.name}.pub"))), _from_private(_content(path))
    return None in (beside, own) or beside == own


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_KEY_MAX_BYTES)
    except OSError:
        return b""


def _line(text: bytes) -> str | None:
    words = text.split()[:2]
    if len(words) < 2 or text.startswith(b"-----"):
        return None
    try:
        return _named(base64.b64decode(words[1], validate=True))
    except binascii.Error:
        return None


def _from_private(text: bytes) -> str | None:
    if not text.startswith(_BEGIN):
        return None
    try:
        data = base64.b64decode(b"".join(text.split(b"-----")[2].split()), validate=True)
        rest = data.removeprefix(_MAGIC)
        for _ in range(3):  # cipher, derivation of its key, options of that
            _, rest = _string(rest)
        return _named(_string(rest[4:])[0])  # the number of keys, and the first
    except (binascii.Error, IndexError, struct.error):
        return None


def _string(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack_from(">I", data)
    return data[4 : 4 + size], data[4 + size :]


def _named(blob: bytes) -> str | None:
    try:
        kind = _string(blob)[0].decode("ascii")
    except (struct.error, UnicodeDecodeError):
        return None
    known = kind.startswith(("ssh-", "ecdsa-", "sk-"))
    return f"{kind} {base64.b64encode(blob).decode()}" if known else None
