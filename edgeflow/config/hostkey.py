"""Public host keys as OpenSSH writes them; one that was cut off is told from a whole one."""

import base64
import binascii
import struct
from collections.abc import Iterator

_FIELDS = {"ssh-ed25519": 2, "ssh-rsa": 3, "ecdsa-": 3, "sk-ssh-": 3, "sk-ecdsa-": 4}
"""How many fields a key has by the start of its type: RFC 4253 section 6.6, RFC 5656 section 3.1,
RFC 8709 section 4, and OpenSSH's PROTOCOL.u2f."""
_ED25519_BYTES = 32


def whole_host_key(line: str) -> str:
    """Return a public key if its base64 holds what its type says, and no more.

    Args:
        line: type and base64, as in ``ssh-ed25519 AAAA...``.

    Raises:
        ValueError: it is no whole key.
    """
    kind, _, text = line.partition(" ")
    try:
        fields = list(_fields(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError, struct.error) as error:
        raise ValueError("the key is cut off or damaged: copy the whole line again") from error
    if not fields or fields[0] != kind.encode():
        raise ValueError(f"the key is no {kind}: its base64 says another type")
    wanted = next((n for start, n in _FIELDS.items() if kind.startswith(start)), len(fields))
    short = "ssh-ed25519" in kind and len(fields) > 1 and len(fields[1]) != _ED25519_BYTES
    if len(fields) != wanted or short:
        raise ValueError("the key is cut off or damaged: copy the whole line again")
    return line


def _fields(data: bytes) -> Iterator[bytes]:
    """Yield the strings of an SSH key blob, each behind its length in 4 bytes."""
    while data:
        (length,) = struct.unpack_from(">I", data)
        if length > len(data) - 4:
            raise ValueError("cut off")
        yield data[4 : 4 + length]
        data = data[4 + length :]
