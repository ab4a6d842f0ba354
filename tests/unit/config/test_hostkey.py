"""Host keys: whole ones of every kind pass, cut ones never."""

import base64
import struct

import pytest
from paramiko.hostkeys import HostKeyEntry

from edgeflow.config.hostkey import whole_host_key


def key(kind: str, *fields: bytes) -> str:
    parts = [kind.encode(), *fields]
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()}"


POINT = b"\x04" + bytes(64)
WHOLE = [
    key("ssh-ed25519", bytes(32)),
    key("ssh-rsa", b"\x01\x00\x01", bytes(257)),
    key("ecdsa-sha2-nistp256", b"nistp256", POINT),
    key("ecdsa-sha2-nistp521", b"nistp521", POINT),
]
REFUSED = [
    key("ssh-dss", b"p", b"q", b"g", b"y"),
    key("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:"),
    key("ecdsa-sha2-nistp224", b"nistp224", POINT),
]


@pytest.mark.parametrize("line", WHOLE, ids=[line.split()[0] for line in WHOLE])
def test_a_whole_key_passes_and_no_start_of_it_does(line: str) -> None:
    assert whole_host_key(line) == line
    for end in range(len(line.split()[0]) + 1, len(line)):
        with pytest.raises(ValueError, match="cut off|another type"):
            whole_host_key(line[:end])


@pytest.mark.parametrize("line", REFUSED, ids=[line.split()[0] for line in REFUSED])
def test_a_key_that_no_connection_accepts_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=f"^{line.split()[0]} is no type .* ssh-ed25519, ssh-rsa"):
        whole_host_key(line)
    assert HostKeyEntry.from_line(f"pin {line}") is None


def test_a_key_of_another_type_than_it_says() -> None:
    with pytest.raises(ValueError, match="no ssh-rsa"):
        whole_host_key(key("ssh-ed25519", bytes(32)).replace("ssh-ed25519", "ssh-rsa"))


@pytest.mark.parametrize("fields", [(bytes(31),), (bytes(33),), (bytes(32), b"x")])
def test_fields_that_the_type_has_not(fields: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="damaged"):
        whole_host_key(key("ssh-ed25519", *fields))
