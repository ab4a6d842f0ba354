"""Keys to log in with, and the ways to a device."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote import login
from edgeflow.remote.inventory import endpoint, parse_device
from edgeflow.remote.session import Session
from edgeflow.remote.virtual.layout import Address
from tests.unit.deploy.agents import SecurityKey, agent_with

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

SECRET = "correct horse"


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SSH_AUTH_SOCK", login.PASSPHRASE):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def agent(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """OpenSSH's own agent."""
    path = tmp_path_factory.mktemp("a") / "s"
    with subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL
    ) as process:
        while not path.exists():
            assert process.poll() is None
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        yield
        process.terminate()


def locked(pi: Address, folder: Path) -> Path:
    """Return a copy of the device's login key that needs a passphrase."""
    copy = folder / "locked"
    copy.write_bytes(pi.identity.read_bytes())
    copy.chmod(0o600)
    command = ["ssh-keygen", "-q", "-p", "-N", SECRET, "-f", str(copy)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return copy


def works(lab: "Lab", pi: Address, **changes: Any) -> bool:
    with Session(lab.endpoint(pi, **changes)) as session:
        return session.run(["true"], 10).exit_code == 0


def refusal(lab: "Lab", pi: Address, **changes: Any) -> DeployError:
    with pytest.raises(DeployError) as caught, Session(lab.endpoint(pi, **changes)):
        pass
    return caught.value


def test_a_locked_key_is_opened_by_the_environment_alone(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = lab.device()
    key = str(locked(pi, tmp_path))
    error = refusal(lab, pi, identity=key)
    assert "protected by a passphrase" in error.message
    assert f"ssh-add {key}" in error.hint
    monkeypatch.setenv(login.PASSPHRASE, "wrong")
    error = refusal(lab, pi, identity=key)
    assert "the passphrase does not open" in error.message
    assert "wrong" not in str(error)
    monkeypatch.setenv(login.PASSPHRASE, SECRET)
    assert works(lab, pi, identity=key)


def test_an_empty_passphrase_in_the_environment_is_none(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = lab.device()
    monkeypatch.setenv(login.PASSPHRASE, "")
    error = refusal(lab, pi, identity=str(locked(pi, tmp_path)))
    assert "protected by a passphrase" in error.message


@pytest.mark.parametrize("kind", ["PRIVATE", "ENCRYPTED PRIVATE"])
def test_a_key_in_pkcs8_is_to_be_converted(lab: "Lab", tmp_path: Path, kind: str) -> None:
    (tmp_path / "key").write_text(f"-----BEGIN {kind} KEY-----\n")
    error = refusal(lab, lab.device(), identity=str(tmp_path / "key"))
    assert error.hint == f"convert it in place: ssh-keygen -p -f {tmp_path}/key"


def test_at_a_terminal_the_passphrase_is_asked_for(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = lab.device()
    key, asked = str(locked(pi, tmp_path)), list[str]()

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return SECRET

    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", ask)
    assert works(lab, pi, identity=key)
    assert asked == [f"passphrase of {key}: "]


@pytest.mark.parametrize("named", ["locked", "locked.pub"])
def test_the_agent_signs_for_a_locked_or_a_public_key(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: None, named: str
) -> None:
    pi = lab.device()
    locked(pi, tmp_path)
    public = pi.identity.with_suffix(".pub").read_bytes()
    (tmp_path / "locked.pub").write_bytes(public)
    before = refusal(lab, pi, identity=str(tmp_path / named))
    assert "ssh-add" in before.hint
    subprocess.run(["ssh-add", "-q", str(pi.identity)], check=True, stderr=subprocess.DEVNULL)
    assert works(lab, pi, identity=str(tmp_path / named))


def test_a_public_key_without_its_private_half_is_named(lab: "Lab", tmp_path: Path) -> None:
    pi = lab.device()
    error = refusal(lab, pi, identity=str(pi.identity.with_suffix(".pub")))
    assert "is a public key, and no SSH agent runs here" in error.message
    assert f"name the private file ({pi.identity})" in error.hint


def test_a_security_key_signs_through_the_agent(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi, token = lab.device(), SecurityKey()
    lab.behave(pi, also_allowed=token.line)
    public = tmp_path / "token.pub"
    public.write_text(f"{token.line} me@here\n")
    with agent_with(token, tmp_path / "agent"):
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        assert works(lab, pi, identity=str(public))


UNUSABLE = {
    "putty": ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", "puttygen"),
    "text": ("my secret", "ssh-keygen"),
    "empty": ("", "ssh-keygen"),
    "cut": ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza", "ssh-keygen"),
    "binary": ("\0\1\2", "ssh-keygen"),
}


@pytest.mark.parametrize(("text", "hint"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_is_no_usable_key_is_named(
    lab: "Lab", tmp_path: Path, text: str, hint: str
) -> None:
    (tmp_path / "key").write_text(text)
    (tmp_path / "key").chmod(0o600)
    error = refusal(lab, lab.device(), identity=str(tmp_path / "key"))
    assert hint in error.hint
    assert str(tmp_path / "key") in error.message
    assert "secret" not in error.message


def test_a_key_of_a_kind_that_is_no_longer_used_is_named(lab: "Lab", tmp_path: Path) -> None:
    key = dsa.generate_private_key(1024)
    form = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (tmp_path / "key").write_bytes(key.private_bytes(*form))
    (tmp_path / "key").chmod(0o600)
    error = refusal(lab, lab.device(), identity=str(tmp_path / "key"))
    assert error.message.endswith(": keys of its kind (DSA) are no longer used")


def jump(gateway: Address, **changes: Any) -> dict[str, Any]:
    account = {"host": gateway.host, "port": gateway.port, "user": gateway.user}
    keys = {"host_key": gateway.host_key, "identity": str(gateway.identity)}
    return {**account, **keys, **changes}


def test_a_device_behind_a_jump_host(lab: "Lab") -> None:
    pi, gateway = lab.device(), lab.device()
    logins = lab.logins()
    with Session(lab.endpoint(pi, proxy_jump=jump(gateway))) as session:
        assert session.run(["pwd"], 10).stdout.strip() == str(lab.root(pi))
    assert lab.logins() == logins + 2


def test_the_key_of_a_device_behind_a_jump_host_can_be_shown(lab: "Lab") -> None:
    pi, gateway = lab.device(), lab.device()

    def trust(**changes: Any) -> Any:
        given = {"jump_host_key": gateway.host_key, "jump_identity": gateway.identity}
        given["proxy_jump"] = f"{gateway.user}@{gateway.host}:{gateway.port}"
        options = [f"--{name.replace('_', '-')}={v}" for name, v in {**given, **changes}.items()]
        return CliRunner().invoke(app, ["device", "trust", pi.host, f"--port={pi.port}", *options])

    logins = lab.logins()
    done = trust()
    assert (done.exit_code, f"host_key: {pi.host_key}" in done.output) == (0, True)
    assert lab.logins() == logins + 1  # at the jump host alone
    refused = trust(jump_host_key=pi.host_key).exception
    assert "the jump host 127.0.0.1" in refused.message
    assert "another host key" in refused.message
    unreached = trust(port=1).exception
    assert "no SSH server answers at 127.0.0.1:1" in unreached.message
    assert f"127.0.0.1 ssh-keyscan -p 1 {pi.host}" in unreached.hint
    for option, value in (
        ("proxy_jump", "gateway"),
        ("proxy_jump", "me@gateway:http"),
        ("jump_host_key", "ssh-dss AAAA"),
        ("jump_identity", ""),
    ):
        wrong = trust(**{option: value})
        assert wrong.exit_code == 2
        assert f"--{option.replace('_', '-')}" in wrong.output


def test_both_host_keys_are_pinned(lab: "Lab") -> None:
    pi, gateway = lab.device(), lab.device()
    logins = lab.logins()
    wrong = jump(gateway, host_key=pi.host_key)
    error = refusal(lab, pi, proxy_jump=wrong)
    assert f"the jump host of device {pi.identity.parent.name}" in error.message
    assert "another host key" in error.message
    assert lab.logins() == logins
    error = refusal(lab, pi, proxy_jump=jump(gateway), host_key=gateway.host_key)
    assert f"device {pi.identity.parent.name} (" in error.message
    assert "another host key" in error.message
    assert lab.logins() == logins + 1  # of the jump host alone


def test_what_a_jump_host_does_not_reach_or_allow_is_told_apart(lab: "Lab") -> None:
    import socket

    pi, gateway = lab.device(), lab.device()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        pytest.raises(UnreachableError, match="jump host .* does not reach device") as caught,
        Session(lab.endpoint(pi, port=port, proxy_jump=jump(gateway))),
    ):
        pass
    assert f"-o 'ProxyCommand=ssh -p {gateway.port} -i" in caught.value.hint
    error = refusal(lab, pi, host="192.0.2.1", proxy_jump=jump(gateway))
    assert "forwards nothing to 192.0.2.1" in error.message
    with (
        pytest.raises(UnreachableError, match="jump host .* does not answer"),
        Session(lab.endpoint(pi, proxy_jump=jump(gateway, port=port))),
    ):
        pass


def test_an_address_may_name_its_interface() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3"
    section = {"transport": "ssh", "user": "pi", "host_key": key, "identity": "k"}
    for host in ("fe80::1%eth0", "fe80::1%2", "::1"):
        device = parse_device({**section, "host": host})
        assert endpoint("pi", device).host == host
    for host in ("%eth0", "fe80::1%", "fe80::1%a b", "-oProxyCommand=x", "fe80::1%-x"):
        with pytest.raises(ValueError, match="host"):
            parse_device({**section, "host": host})


def test_an_interface_reaches_the_socket(lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("needs IPv6 on loopback")
    with listener:
        port = listener.getsockname()[1]
    scope = socket.if_nametoindex("lo")
    said = r"Unable to connect|refused|\[?::1"
    with (
        pytest.raises(UnreachableError, match=said) as caught,
        Session(lab.endpoint(lab.device(), host=f"::1%{scope}", port=port)),
    ):
        pass
    assert "not known" not in caught.value.message


def test_the_command_for_people_is_one_that_a_shell_takes(lab: "Lab") -> None:
    import shlex

    pi, gateway = lab.device(), lab.device()
    where = lab.endpoint(pi, proxy_jump=jump(gateway))
    words = shlex.split(where.shell_command("df -h"))
    assert words[0] == "ssh"
    assert words[-3:] == [f"{pi.user}@{pi.host}", "df", "-h"]
    way = next(word for word in words if word.startswith("ProxyCommand="))
    assert re.search(
        rf"-i {re.escape(os.fspath(gateway.identity))} -W '\[%h\]:%p' edge@127\.0\.0\.1$", way
    )
