"""Public host keys as OpenSSH writes them; one that was cut off is told from a whole one."""

import base64
import binascii
import struct
from collections.abc import Iterator

_FIELDS = {"ssh-ed25519": 2, "ssh-rsa": 3} | {f"ecdsa-sha2-nistp{n}": 3 for n in (256, 384, 521)}
"""How many fields a key has, by the types that edgeflow's SSH client accepts of a server: RFC 4253
section 6.6, RFC 5656 section 3.1, RFC 8709 section 4."""
_ED25519_BYTES = 32


def whole_host_key(line: str) -> str:
    """Return a public key if its base64 holds what its type says, and no more.

    Args:
        line: type and base64, as in ``ssh-ed25519 AAAA...``.

    Raises:
        ValueError: it is no whole key, or of a type that no connection accepts.
    """
    kind, _, text = line.partition(" ")
    if kind not in _FIELDS:
        raise ValueError(
            f"{kind} is no type of host key that is accepted, which are {', '.join(_FIELDS)}: take "
            "the one that `edgeflow device trust HOST` shows"
        )
    try:
        fields = list(_fields(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError, struct.error) as error:
        raise ValueError("the key is cut off or damaged: copy the whole line again") from error
    if not fields or fields[0] != kind.encode():
        raise ValueError(f"the key is no {kind}: its base64 says another type")
    short = kind == "ssh-ed25519" and len(fields) > 1 and len(fields[1]) != _ED25519_BYTES
    if len(fields) != _FIELDS[kind] or short:
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
