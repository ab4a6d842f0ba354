"""What a deployment costs where nothing is to be done: bytes on the wire, in both directions."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import connect
from edgeflow.remote.channel import SHA256
from edgeflow.testing.fault_proxy import FaultProxy
from edgeflow.testing.openssh import Sshd, has_server, serve

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

LIMIT_BYTES = 8000
MLKEM_BYTES = 1184 + 1088
"""What OpenSSH 10's key exchange takes beside that of an older one: a key and a ciphertext."""


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if not has_server():
        pytest.skip("needs OpenSSH's server: sudo apt-get install -y openssh-server")
    # As short as on a device: where the root lies is said several times in a session.
    with (
        TemporaryDirectory(prefix="pi-", dir="/tmp") as home,
        serve(tmp_path / "sshd", home=Path(home)) as sshd,
    ):
        yield sshd


def test_an_unchanged_bundle_moves_next_to_nothing(
    lab: "Lab", sshd: Sshd, make_bundle: Callable[..., Path]
) -> None:
    bundle, pi = make_bundle(bytes(3_000_000)), lab.device()
    sha, login = sha256_file(bundle), {"user": sshd.user, "host_key": sshd.host_key}
    where = {**login, "identity": str(sshd.identity), "path": str(sshd.home / "edgeflow")}
    with connect(lab.endpoint(pi, port=sshd.port, **where)) as device:
        assert bring(device, "net", bundle)["sent_bytes"] > 0
        device.activate("net", sha)
    with FaultProxy(sshd.port, "none") as proxy:
        with connect(lab.endpoint(pi, port=proxy.port, **where)) as device:
            record = bring(device, "net", bundle)
        assert (record["changed"], record["sent_bytes"]) == (False, 0)
    known = subprocess.run(["ssh", "-Q", "kex"], stdout=subprocess.PIPE, check=True).stdout
    more = 0 if b"mlkem768x25519" in known else MLKEM_BYTES
    assert 0 < sum(proxy.passed.values()) + more < LIMIT_BYTES


def test_a_stored_session_program_that_was_changed_is_sent_again(
    lab: "Lab", make_bundle: Callable[..., Path]
) -> None:
    pi = lab.device()
    lab.serve(pi, make_bundle())
    stored = lab.root(pi) / "edgeflow" / "bin" / f"session-{SHA256}.py"
    assert sha256_file(stored) == SHA256
    stored.write_text("print('something else')")
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current is not None
