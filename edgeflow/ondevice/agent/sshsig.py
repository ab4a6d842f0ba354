"""SSHSIG, the signatures of `ssh-keygen -Y sign`, by the standard library alone.

The form is that of PROTOCOL.sshsig of OpenSSH. Keys: ed25519, RSA of 2048 bits and more
(rsa-sha2-512), and P-256. What the form leaves open is refused: no other algorithm, and nothing
behind the end.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct

from . import ed25519, p256

ED25519, RSA, P256 = "ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"
RSA_SHA512 = "rsa-sha2-512"
RSA_BITS = range(2048, 16385)  # a modulus; OpenSSH takes none larger
MAGIC = b"SSHSIG"
VERSION = 1
HASHES = ("sha256", "sha512")
ARMOR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)-----END SSH SIGNATURE-----\s*"
)
# RFC 8017, section 9.2, note 1: the DER form of what says that a digest is one of SHA-512.
SHA512_PREFIX = bytes.fromhex("3051300d060960864801650304020305000440")


class Unreadable(ValueError):
    """Bytes that are no key or signature of a kind that is taken."""


class Reader:
    """Reads the parts of an SSH structure."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        if size > len(self.data):
            raise Unreadable("it is cut short")
        found, self.data = self.data[:size], self.data[size:]
        return found

    def string(self) -> bytes:
        """Return the next string."""
        (size,) = struct.unpack(">I", self.take(4))
        return self.take(size)

    def text(self) -> str:
        """Return the next string, of ASCII."""
        return self.string().decode("ascii", "replace")

    def number(self) -> int:
        """Return the next integer, which is not negative."""
        data = self.string()
        if data[:1] > b"\x7f":
            raise Unreadable("it has a negative number")
        return int.from_bytes(data, "big")

    def end(self) -> None:
        """Refuse what is left."""
        if self.data:
            raise Unreadable("something is behind its end")


class Signature:
    """A signature of a message, as it was read; nothing is verified.

    Attributes:
        key: the public key, in SSH's form.
        namespace: what it was made for.
        hash: name of the digest that the message is signed by.
        value: what the algorithm of the key makes of it, in SSH's form.
    """

    def __init__(self, armored: bytes) -> None:
        found = ARMOR.fullmatch(armored)
        if found is None:
            raise Unreadable("it is not armored as `ssh-keygen -Y sign` does")
        try:
            data = base64.b64decode(found.group(1).replace(b"\n", b""), validate=True)
        except binascii.Error as error:
            raise Unreadable(str(error)) from error
        reader = Reader(data)
        if reader.take(len(MAGIC)) != MAGIC or reader.take(4) != struct.pack(">I", VERSION):
            raise Unreadable("it is no SSHSIG of version 1")
        self.key, self.namespace = reader.string(), reader.text()
        self.reserved, self.hash = reader.string(), reader.text()
        self.value = reader.string()
        reader.end()
        if self.hash not in HASHES:
            raise Unreadable(f"it uses the digest {self.hash!r}")

    def signed(self, message: bytes) -> bytes:
        """Return the bytes that the key has signed, of a message."""
        digest = hashlib.new(self.hash, message).digest()
        parts = (self.namespace.encode(), self.reserved, self.hash.encode(), digest)
        return MAGIC + b"".join(string(part) for part in parts)

    def verifies(self, message: bytes) -> bool:
        """Tell whether the key has signed a message; raise Unreadable for another kind of key."""
        kind, key = key_of(self.key)
        value = value_of(kind, self.value)
        signed = self.signed(message)
        if kind == ED25519:
            return ed25519.verifies(key, value, signed)
        if kind == P256:
            reader = Reader(value)
            r, s = reader.number(), reader.number()
            reader.end()
            return p256.verifies(key, r, s, signed)
        return rsa_verifies(key, value, signed)


def string(data: bytes) -> bytes:
    """Return a string in SSH's form."""
    return struct.pack(">I", len(data)) + data


def key_of(blob: bytes) -> tuple[str, bytes]:
    """Return kind and content of a public key in SSH's form: of an RSA key, the two numbers."""
    reader = Reader(blob)
    kind = reader.text()
    if kind == RSA:
        key = reader.data
        reader.number()
        if reader.number().bit_length() not in RSA_BITS:
            raise Unreadable("its RSA key has fewer than 2048 bits, or more than 16384")
    elif kind == ED25519 or (kind == P256 and reader.text() == "nistp256"):
        key = reader.string()
    else:
        raise Unreadable(f"its key is of the kind {kind!r}")
    reader.end()
    return kind, key


def value_of(kind: str, value: bytes) -> bytes:
    """Return what is in a signature by a key of a kind."""
    reader = Reader(value)
    algorithm, found = reader.text(), reader.string()
    reader.end()
    if algorithm != (RSA_SHA512 if kind == RSA else kind):
        raise Unreadable(f"it is made by {algorithm!r} with a key of the kind {kind!r}")
    return found


def rsa_verifies(key: bytes, value: bytes, signed: bytes) -> bool:
    """Verify an RSA signature with PKCS #1 v1.5 and SHA-512: RFC 8017, section 8.2.2."""
    reader = Reader(key)
    exponent, modulus = reader.number(), reader.number()
    size = (modulus.bit_length() + 7) // 8
    number = int.from_bytes(value, "big")
    if len(value) > size or number >= modulus:
        return False
    info = SHA512_PREFIX + hashlib.sha512(signed).digest()
    padded = b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info
    return pow(number, exponent, modulus).to_bytes(size, "big") == padded
