"""What happens when something breaks: one clear error, the old release, a rerun that works."""

import base64
import json
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.deploy.deploy import deploy
from edgeflow.deploy.release import OpenDevice, connect
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.answer import MalformedError
from edgeflow.remote.session import Session
from edgeflow.remote.trust import scan_host_key
from edgeflow.remote.virtual import start
from edgeflow.testing.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
PAYLOAD = random.Random(7).randbytes(3_000_000)
HALF = 1_500_000


def other_host_key() -> str:
    import asyncssh

    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    return " ".join(public.split()[:2])


def test_a_refused_connection_is_unreachable_with_a_command_to_try(lab: "Lab") -> None:
    pi = lab.device()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        pytest.raises(UnreachableError, match="refused") as caught,
        connect(lab.endpoint(pi, port=port)),
    ):
        pass
    assert f"ssh -p {port}" in caught.value.hint
    assert caught.value.exit_code == 4


def test_a_name_that_does_not_resolve_is_unreachable(lab: "Lab") -> None:
    endpoint = lab.endpoint(lab.device(), host="no-such-device.invalid")
    with pytest.raises(UnreachableError, match="no-such-device"), connect(endpoint):
        pass


def test_a_failure_is_said_once_without_tracebacks(lab: "Lab") -> None:
    with FaultProxy(lab.device().port, "silent") as proxy:
        call = f"scan_host_key('127.0.0.1', {proxy.port}, 0.3)"
        code = (
            "from edgeflow.remote.trust import *\n"
            f"try: {call}\nexcept UnreachableError as error: print(error)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
    assert "no SSH server answers" in done.stdout
    assert done.stderr == ""


def test_a_wrong_host_key_is_refused_before_anything_is_sent(lab: "Lab") -> None:
    pi, pinned = lab.device(), other_host_key()
    logins = lab.logins()
    with pytest.raises(DeployError) as caught, connect(lab.endpoint(pi, host_key=pinned)):
        pass
    _, offered = scan_host_key(pi.host, pi.port, 5)
    assert f"offered: {offered}" in caught.value.message
    assert caught.value.message.count("SHA256:") == 2
    assert caught.value.exit_code == 5
    assert lab.logins() == logins
    assert not (lab.root(pi) / "edgeflow").exists()


def test_a_pin_of_another_type_does_not_let_the_key_pass(lab: "Lab") -> None:
    import asyncssh

    public = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode()
    endpoint = lab.endpoint(lab.device(), host_key=" ".join(public.split()[:2]))
    with pytest.raises(DeployError, match="another host key"), connect(endpoint):
        pass


NO_CURVE = base64.b64encode(
    b"\0\0\0\x13ecdsa-sha2-nistp256\0\0\0\x08nistp\xff56\0\0\0\x01\4"
).decode()


@pytest.mark.parametrize("key", ["ssh-ed25519 AAAA", f"ecdsa-sha2-nistp256 {NO_CURVE}"])
def test_a_pin_that_is_no_key_is_named(lab: "Lab", key: str) -> None:
    endpoint = replace(lab.endpoint(lab.device()), host_key=key)
    with pytest.raises(DeployError, match="not a public key"), connect(endpoint):
        pass


def test_a_wrong_or_missing_login_key_is_refused(lab: "Lab", tmp_path: Path) -> None:
    import asyncssh

    pi, stranger = lab.device(), tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(stranger)
    stranger.chmod(0o600)
    with (
        pytest.raises(DeployError, match="refuses to log in") as caught,
        connect(lab.endpoint(pi, identity=str(stranger))),
    ):
        pass
    assert "ssh-copy-id" in caught.value.hint
    with (
        pytest.raises(DeployError, match="no private key"),
        connect(lab.endpoint(pi, identity=str(tmp_path / "absent"))),
    ):
        pass


def test_the_offered_key_can_be_shown_for_pinning(lab: "Lab") -> None:
    pi = lab.device()
    key, fingerprint = scan_host_key(pi.host, pi.port, 5)
    assert key == pi.host_key
    public = pi.identity.parent / "host_key.pub"
    assert fingerprint.startswith("SHA256:")
    assert key in public.read_text()
    with pytest.raises(UnreachableError, match="no SSH server"):
        scan_host_key("127.0.0.1", 1, 1)


def test_a_connection_that_cannot_be_closed_hides_no_error(
    lab: "Lab", monkeypatch: pytest.MonkeyPatch
) -> None:
    from fabric import Connection

    def breaks(_: Connection) -> None:
        raise EOFError

    monkeypatch.setattr(Connection, "close", breaks)
    session = Session(lab.endpoint(lab.device()))
    with pytest.raises(DeployError, match="fetching absent"), session:
        session.get("absent", Path("absent"), 9)
    assert not session._connection.is_connected


def test_another_deployer_on_the_device_is_waited_for(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    pi, bundle, said = lab.device(), make_bundle(), []
    folder = lab.root(pi) / "edgeflow" / "net"
    folder.mkdir(parents=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        def say(text: str) -> None:
            said.append(text)
            fcntl.flock(lock, fcntl.LOCK_UN)

        monkeypatch.setattr("edgeflow.deploy.device.link.say", say)
        deploy(bundle, lab.slice(pi), "code", tmp_path / "deploy.json")
    assert [text.endswith("; waiting") for text in said] == [True]


def test_an_agent_that_says_nothing_sensible_is_unknown_not_success(lab: "Lab") -> None:
    pi = lab.device()
    with connect(lab.endpoint(pi)) as device:
        device.status("net")
        (lab.root(pi) / "edgeflow" / "bin" / f"agent-{device.agent_sha256}.pyz").write_text(
            "import sys; print('welcome'); sys.exit('gone')"
        )
        with pytest.raises(DeployError, match=r"no answer to status \(exit code 1\): gone"):
            device.status("net")


@pytest.mark.parametrize(
    "answer", ["{", "{}", '{"current": "../x"}', '{"error": "strange"}', '{"error": ["locked"]}']
)
def test_an_agents_answer_that_does_not_fit_is_said(lab: "Lab", answer: str) -> None:
    pi = lab.device()
    with connect(lab.endpoint(pi)) as device:
        device.status("net")
        agent = lab.root(pi) / "edgeflow" / "bin" / f"agent-{device.agent_sha256}.pyz"
        agent.write_text(f"print({answer!r})")
        with pytest.raises(MalformedError, match="the agent on device pi"):
            device.status("net")


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("verify", {"verified": "1" * 64}, "`verify` is about 1111"),
        ("verify", {}, "verified: Field required"),
        ("reject", {"current": "0" * 64, "rolled_back": True}, "still uses 000"),
        ("send_data", {"error": "failed", "detail": "[Errno 30] Read-only file system"}, "refuses"),
        ("prune", {"removed": ["../x"]}, "removed.0"),
        ("forget", {"removed": False}, "removed"),
    ],
)
def test_an_agent_that_speaks_of_something_else_is_not_believed(
    lab: "Lab", tmp_path: Path, verb: str, answer: dict[str, Any], said: str
) -> None:
    pi, sha = lab.device(), "0" * 64
    (tmp_path / "x.npy").write_bytes(b"data")
    arguments: dict[str, tuple[Any, ...]] = {
        **{"verify": ("net", sha), "reject": ("net", sha, "gate failed")},
        **{"send_data": (tmp_path / "x.npy",), "prune": ("net",), "forget": ("net",)},
    }
    with connect(lab.endpoint(pi)) as device:
        device.status("net")
        agent = lab.root(pi) / "edgeflow" / "bin" / f"agent-{device.agent_sha256}.pyz"
        agent.write_text(f"print({json.dumps(answer)!r})")
        with pytest.raises(DeployError, match=said) as caught:
            getattr(device, verb)(*arguments[verb])
    assert caught.value.exit_code == 5
    if "Read-only" in str(answer):
        assert "mounted read-only" in caught.value.hint


def test_a_home_that_is_read_only_is_said(own_lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "_start", lambda state, idle_s: small_disk_server(state, "ro"))
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0:
        pytest.skip("needs user and mount namespaces")
    endpoint = own_lab.endpoint(own_lab.device())
    with (
        pytest.raises(DeployError, match=r"sending agent\.pyz.*Read-only") as caught,
        connect(endpoint) as device,
    ):
        device.status("net")
    assert "`path` of device " in caught.value.hint


def test_a_full_disk_is_said_and_left_clean(
    tmp_path: Path,
    own_lab: "Lab",
    make_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start, "_start", lambda state, idle_s: small_disk_server(state))
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0:
        pytest.skip("needs user and mount namespaces")
    pi, new = own_lab.device(), make_bundle(PAYLOAD)
    slice_, out = own_lab.slice(pi), tmp_path / "deploy.json"
    old = own_lab.serve(pi, make_bundle(b"old"))
    with pytest.raises(DeployError, match=r"need 66\d+ bytes, have \d+") as foreseen:
        deploy(new, slice_, "code", out)
    # The space goes away between the question and the transfer.
    monkeypatch.setattr(OpenDevice, "_require_room", lambda *figures: None)
    with pytest.raises(DeployError, match=r"sending \w+.delta, \d+ of \d+ bytes") as met:
        deploy(new, slice_, "code", out)
    for caught in (foreseen, met):
        assert "df -h" in caught.value.hint
    with connect(own_lab.endpoint(pi)) as device:
        status = device.status("net")
    assert status.current == old
    assert status.free_bytes > 500_000


def small_disk_server(state: Path, options: str = "size=1m") -> None:
    """Start the server where the device's root is a file system of its own."""
    root = state / "pi1" / "root"
    root.mkdir(exist_ok=True)
    serve = "exec {} -P -m edgeflow.remote.virtual.server --state {} --idle-s 60"
    script = f"mount -t tmpfs -o {options} none {root}; " + serve.format(sys.executable, state)
    with (state / "server.log").open("ab") as log:
        subprocess.run(["unshare", "-rm", "sh", "-c", script], stdout=log, stderr=log, check=True)


def test_too_few_inodes_are_said_before_anything_is_sent(
    tmp_path: Path, own_lab: "Lab", make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = "size=9m,nr_inodes=16"
    monkeypatch.setattr(start, "_start", lambda state, idle_s: small_disk_server(state, few))
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode != 0:
        pytest.skip("needs user and mount namespaces")
    pi = own_lab.device()
    with pytest.raises(DeployError, match=r"need \d+ inodes, have \d+") as caught:
        deploy(make_bundle(), own_lab.slice(pi), "code", tmp_path / "deploy.json")
    assert "df -i" in caught.value.hint
