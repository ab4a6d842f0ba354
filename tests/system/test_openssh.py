"""Sessions with OpenSSH's own server, set up in the ways that get in the way."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.remote.inventory import Account, Endpoint
from edgeflow.remote.session import Session
from edgeflow.testing.openssh import Sshd
from tests.system.conftest import serve
from tests.unit.deploy.agents import SecurityKey, agent_with

FAMILY = "echo $$ > parent; sleep 300 & echo $! > child; wait"
"""A program with a child."""


def account(sshd: Sshd, **changes: Any) -> dict[str, Any]:
    where = {"title": "device pi", "host": "127.0.0.1", "port": sshd.port, "user": sshd.user}
    keys = {"host_key": sshd.host_key, "identity": sshd.identity, "timeout_s": 10.0}
    return {**where, **keys, **changes}


def endpoint(sshd: Sshd, **changes: Any) -> Endpoint:
    sshd.home.mkdir(exist_ok=True)
    place = {"name": "pi", "path": str(sshd.home), "python": sys.executable, "run_timeout_s": 60.0}
    return Endpoint(**{**account(sshd), **place, **changes})


def gone(home: Path, name: str) -> bool:
    """Tell whether the process of that name has ended."""
    try:
        stat = Path(f"/proc/{(home / name).read_text().strip()}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def wait_until(holds: Callable[[], bool]) -> None:
    while not holds():
        time.sleep(0.02)


def use(where: Endpoint, folder: Path) -> None:
    """Do all that a session does."""
    (folder / "sent").write_bytes(b"x" * 300_000)
    with connect(where) as device:
        assert device.status("net").current is None
        remote = device.send_data(folder / "sent")
        device.fetch(remote, folder / "back", 300_000)
    assert (folder / "back").read_bytes() == b"x" * 300_000


PRINTS = 'ForceCommand echo Welcome; echo hint >&2; exec sh -c "$SSH_ORIGINAL_COMMAND"'


@pytest.mark.parametrize("setting", ["MaxSessions 1", PRINTS], ids=["one session", "printing"])
def test_neither_sftp_nor_more_sessions_nor_silence_is_needed(tmp_path: Path, setting: str) -> None:
    with serve(tmp_path / "sshd", setting, home=tmp_path / "board") as sshd:
        use(endpoint(sshd), tmp_path)


@pytest.mark.parametrize(
    ("setting", "said", "hint"),
    [
        ("ForceCommand echo only git here; exit 1", "only git here", "echo hello"),
        ("MaxSessions 0", "run no program", "MaxSessions"),
    ],
)
def test_an_account_that_runs_no_programs_is_named(
    tmp_path: Path, setting: str, said: str, hint: str
) -> None:
    with (
        serve(tmp_path / "sshd", setting, home=tmp_path / "board") as sshd,
        pytest.raises(DeployError, match=said) as caught,
        connect(endpoint(sshd)) as device,
    ):
        device.status("net")
    assert hint in caught.value.hint


def test_a_program_ends_at_its_limit_with_its_children(sshd: Sshd) -> None:
    with Session(endpoint(sshd)) as session:
        with pytest.raises(DeployError, match="the device ended it"):
            session.run(["sh", "-c", FAMILY], 1.0, str(sshd.home))
        assert gone(sshd.home, "parent")
        assert gone(sshd.home, "child")
        assert session.run(["true"], 10).exit_code == 0


def test_a_program_ends_when_its_client_is_gone(sshd: Sshd) -> None:
    with Session(endpoint(sshd)) as session:

        def cut() -> None:
            wait_until(lambda: (sshd.home / "child").exists())
            raw: socket.socket = session._connection.transport.sock
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.close()

        cutter = threading.Thread(target=cut)
        cutter.start()
        with pytest.raises(UnreachableError, match="lost the connection"):
            session.run(["sh", "-c", FAMILY], 300, str(sshd.home))
        cutter.join()
    wait_until(lambda: gone(sshd.home, "parent") and gone(sshd.home, "child"))


def test_a_jump_host_forwards_to_the_device(tmp_path: Path, sshd: Sshd) -> None:
    with serve(tmp_path / "gateway", "MaxSessions 0", home=tmp_path) as gateway:
        jump = Account(**account(gateway, title="the jump host of device pi"))
        use(endpoint(sshd, proxy_jump=jump), tmp_path)


def test_a_jump_host_that_does_not_forward_is_named(tmp_path: Path, sshd: Sshd) -> None:
    with serve(tmp_path / "gateway", "AllowTcpForwarding no", home=tmp_path) as gateway:
        jump = Account(**account(gateway, title="the jump host of device pi"))
        with (
            pytest.raises(DeployError, match="jump host of device pi forwards nothing") as caught,
            connect(endpoint(sshd, proxy_jump=jump)),
        ):
            pass
    assert "AllowTcpForwarding" in caught.value.hint


def test_the_command_that_messages_print_works(tmp_path: Path, sshd: Sshd) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("needs OpenSSH's client")
    known = tmp_path / "known"
    with serve(tmp_path / "gateway", home=tmp_path) as gateway:
        jump = Account(**account(gateway, title="gateway"))
        lines = [f"[127.0.0.1]:{server.port} {server.host_key}\n" for server in (sshd, gateway)]
        known.write_text("".join(lines))
        command = endpoint(sshd, proxy_jump=jump).shell_command("echo hello")
        option = f"ssh -o UserKnownHostsFile={known} "
        done = subprocess.run(
            ["sh", "-c", command.replace("ssh ", option)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_security_key_signs_through_the_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, public = SecurityKey(), tmp_path / "token.pub"
    public.write_text(f"{token.line} me@here\n")
    folder, agent = tmp_path / "sshd", tmp_path / "agent"
    with (
        serve(folder, home=tmp_path / "board", authorized=token.line) as sshd,
        agent_with(token, agent),
    ):
        monkeypatch.setenv("SSH_AUTH_SOCK", os.fspath(agent))
        with Session(endpoint(sshd, identity=public)) as session:
            assert session.run(["echo", "in"], 10).stdout == "in\n"
