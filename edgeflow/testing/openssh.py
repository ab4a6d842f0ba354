"""OpenSSH's own server on loopback, for the user who starts it."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PLACES = "/usr/sbin:/usr/bin"


@dataclass(frozen=True)
class Sshd:
    """A running OpenSSH server and how to get in."""

    port: int
    host_key: str
    identity: Path
    user: str
    home: Path
    pid: int


def has_server() -> bool:
    """Return whether this machine has OpenSSH's server."""
    return shutil.which("sshd", path=_PLACES) is not None


@contextmanager
def serve(
    folder: Path,
    *settings: str,
    home: Path,
    authorized: str = "",
    enter: Sequence[str] = (),
) -> Iterator[Sshd]:
    """Run the system's sshd until the block ends.

    Args:
        folder: a new folder for its keys, its configuration and its log.
        settings: lines of sshd_config, which come first and so win.
        home: where on the device its users work.
        authorized: one more public key that may log in.
        enter: a program with its arguments that starts the server, such as `unshare`.

    Raises:
        RuntimeError: there is none, or it ends at once.
    """
    program = shutil.which("sshd", path=_PLACES)
    if program is None:
        raise RuntimeError("this machine has no OpenSSH server")
    folder.mkdir(mode=0o700)
    host_key = _keygen(folder / "host_key")
    identity = _keygen(folder / "identity")
    (folder / "authorized_keys").write_text(f"{identity}\n{authorized}\n")
    port = _free_port()
    # What whoever runs this lets their shell do at each start is not the device's.
    own = () if enter else (f"SetEnv HOME={folder}",)
    (folder / "config").write_text(
        "".join(f"{line}\n" for line in (*settings, *own))
        + f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # privilege separation asks for it
    with (folder / "log").open("wb") as log:
        command = [*enter, program, "-D", "-e", "-f", str(folder / "config")]
        process = subprocess.Popen(command, stderr=log)
        try:
            _wait(port, process)
            yield Sshd(port, host_key, folder / "identity", getpass.getuser(), home, process.pid)
        finally:
            process.kill()
            process.wait(timeout=60)


def _keygen(path: Path) -> str:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text().strip()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    while True:
        if process.poll() is not None:
            raise RuntimeError("sshd ended at once")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
