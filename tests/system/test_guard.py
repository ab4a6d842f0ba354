"""A key that only deploys, behind OpenSSH's own server and clients."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.manifest import read_bundle
from edgeflow.config.publickey import public_half
from edgeflow.config.service import Service
from edgeflow.deploy.collect import collect
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.provision import keys
from edgeflow.deploy.release import connect
from edgeflow.deploy.service import health, keep_serving, stop
from edgeflow.errors import DeployError
from edgeflow.ondevice.client import Client
from edgeflow.remote.inventory import Endpoint
from edgeflow.testing.openssh import Sshd
from tests.system.conftest import serve
from tests.unit.service.releases import SHAPE, make_bundle


@pytest.fixture
def deployer(tmp_path: Path) -> Iterator[tuple[Sshd, Endpoint]]:
    """A server that lets a second key deploy to a folder, and do nothing else."""
    key, root = tmp_path / "deploys", tmp_path / "board" / "edgeflow"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (root / "trust").mkdir(parents=True)
    for name, content in keys.files({}, str(root)).items():
        (root / "trust" / name).write_bytes(content)
    public = public_half(key)
    assert public is not None
    line = keys.entry(public, str(root), sys.executable)
    with serve(tmp_path / "sshd", home=root.parent, authorized=line) as server:
        yield (
            server,
            Endpoint(
                title="device board", name="board", host="127.0.0.1", port=server.port,
                user=server.user, host_key=server.host_key, identity=key, timeout_s=30,
                path=str(root), python="python3", run_timeout_s=120,
            ),
        )  # fmt: skip


def ssh(endpoint: Endpoint, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    known = endpoint.identity.with_name("known_hosts")
    known.write_text(f"[127.0.0.1]:{endpoint.port} {endpoint.host_key}\n")
    options = ["-F", "none", "-i", str(endpoint.identity), "-o", f"UserKnownHostsFile={known}"]
    batch = ["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ExitOnForwardFailure=yes"]
    port = ["-P" if program == "scp" else "-p", str(endpoint.port)]
    command = [program, *options, *batch, *port, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )


def test_it_serves_keeps_history_and_collects(
    deployer: tuple[Sshd, Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that commands do to a device: of a rollout, its standby, a service and its samples."""
    monkeypatch.chdir(tmp_path)
    endpoint = deployer[1]
    model_dir = tmp_path / "board/edgeflow/net"
    first, second = (make_bundle(tmp_path / str(number), number) for number in (1, 2))
    options = Service().model_dump(mode="json")
    with connect(endpoint) as device:
        for bundle in (first, second):
            bring(device, "net", bundle)
            assert device.activate("net", sha256_file(bundle))
        assert keep_serving(device, "net", options).release == sha256_file(second)
        with Client(str(model_dir)) as client:
            kept = client.infer(np.full(SHAPE, 102, np.uint8), mark=True)["kept"]
        assert collect(device, read_bundle(second), tmp_path / "out").new == [kept]
        assert collect(device, read_bundle(second), tmp_path / "out").new == []
        assert device.history("net", 20).chain == "whole"
        assert device.logs("net", 5) is not None
        device.reject("net", sha256_file(second), "too warm; --unit 2", if_current=True)
        assert health(device, "net").running
        # A neighbour gives the model back, and takes it over again.
        assert stop(device, "net")
        assert device.retire("net", sha256_file(first), "press-1 serves again")
        assert device.activate("net", sha256_file(first))
        assert keep_serving(device, "net", options).running
        assert stop(device, "net")
        assert device.gc() >= 0
        device.prune("net")
        device.forget("net")
        assert device.models() == ()
        with pytest.raises(DeployError, match="lets this key run nothing but"):
            device.send_run_file("net", endpoint.identity)


def test_it_deploys_and_nothing_else(deployer: tuple[Sshd, Endpoint], tmp_path: Path) -> None:
    _, endpoint = deployer
    data = tmp_path / "test_x.npy"
    data.write_bytes(b"samples")
    with connect(endpoint) as device:
        assert device.models() == ()
        there = device.send_data(data)
    assert Path(there).read_bytes() == b"samples"

    login = f"{endpoint.user}@127.0.0.1"
    before = sorted((tmp_path / "board").rglob("*"))
    for words in ((login,), (login, "sh"), (login, f"touch {tmp_path}/board/it")):
        done = ssh(endpoint, "ssh", *words)
        assert done.returncode == 77, done.stderr
        assert "this key may not run" in done.stdout + done.stderr
    terminal = ssh(endpoint, "ssh", "-tt", login)
    assert terminal.returncode != 0
    assert "PTY allocation request failed" in terminal.stderr
    for scp in (("-O",), ("-s",)):
        assert ssh(endpoint, "scp", *scp, str(data), f"{login}:{tmp_path}/board/it").returncode != 0
    assert sorted((tmp_path / "board").rglob("*")) == before
    # sshd itself forwards nothing for it.
    forwarded = ssh(endpoint, "ssh", "-W", f"127.0.0.1:{endpoint.port}", login)
    assert forwarded.returncode != 0
    assert "open failed" in forwarded.stderr or "forwarding failed" in forwarded.stderr
    assert ssh(endpoint, "ssh", "-N", "-R", "0:127.0.0.1:9", login).returncode != 0
