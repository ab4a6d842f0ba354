"""The folder of a virtual device: how a client and the server find each other.

A client writes `request.json`; the server answers with `endpoint.json`. Everything else is
the server's: host key, the client's key pair, and `root/`, the device's file system.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TextIO

from edgeflow.artifact.atomic import write_json

USER = "edge"


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a virtual device listens.

    Attributes:
        host_key: public host key, as in ``ssh-ed25519 AAAA...``.
        identity: private key file that may log in.
        pid: process of the server.
    """

    host: str
    port: int
    user: str
    host_key: str
    identity: Path
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Behaviour:
    """How a virtual device differs from a plain one, for tests.

    Attributes:
        login: shell commands before every program, as of a login script.
        on_disconnect: whether programs end when their client goes, or run on as under OpenSSH.
        also_allowed: one more public key that may log in.
    """

    login: str = ""
    on_disconnect: Literal["kill", "orphan"] = "kill"
    also_allowed: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFolder:
    """Paths and records of one virtual device."""

    path: Path

    @property
    def root(self) -> Path:
        """The device's file system, which is also the account's home."""
        return self.path / "root"

    @property
    def host_key(self) -> Path:
        """Private host key file."""
        return self.path / "host_key"

    @property
    def identity(self) -> Path:
        """Private key file of the one account; its public half has the suffix `.pub`."""
        return self.path / "identity"

    def request(self, python: Path) -> None:
        """Ask for a device whose `python3` is `python`."""
        record = {"python": str(python)}
        path = self.path / "request.json"
        if not path.exists() or json.loads(path.read_text()) != record:
            write_json(path, record)

    def python(self) -> Path:
        """Return the interpreter that was asked for."""
        return Path(json.loads((self.path / "request.json").read_text())["python"])

    def behave(self, behaviour: Behaviour) -> None:
        """Let the device behave so from the next program on."""
        write_json(self.path / "behaviour.json", asdict(behaviour))

    def behaviour(self) -> Behaviour:
        """Return how the device behaves."""
        path = self.path / "behaviour.json"
        return Behaviour(**json.loads(path.read_text())) if path.exists() else Behaviour()

    def publish(self, address: Address) -> None:
        """Tell clients where the device listens now."""
        record = {**asdict(address), "identity": str(address.identity)}
        write_json(self.path / "endpoint.json", record)

    def withdraw(self, pid: int | None = None) -> None:
        """Tell clients that the device listens no more, unless another server than `pid` does."""
        if pid is None or ((address := self.address()) and address.pid == pid):
            (self.path / "endpoint.json").unlink(missing_ok=True)

    def address(self) -> Address | None:
        """Return where the device said it listens; the server may have died since."""
        try:
            record = json.loads((self.path / "endpoint.json").read_text())
        except FileNotFoundError:
            return None
        return Address(**{**record, "identity": Path(record["identity"])})


def device_folders(state: Path) -> list[DeviceFolder]:
    """Return the devices that clients have asked for."""
    return [DeviceFolder(path.parent) for path in sorted(state.glob("*/request.json"))]


def _lock(state: Path) -> Path:
    """Return the file that a folder's server holds; a copy, by hard links too, has another."""
    return state / f"server.{state.stat().st_ino}.lock"


def claim(state: Path) -> TextIO | None:
    """Take the right to serve a state folder, held until the file is closed; None if taken."""
    lock = _lock(state).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def holds(state: Path, lock: TextIO) -> bool:
    """Tell whether a claim is that of the state folder still: somebody may have removed that."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), _lock(state).stat())
    except FileNotFoundError:
        return False


def is_served(state: Path) -> bool:
    """Tell whether a server runs for a state folder."""
    lock = claim(state)
    if lock is not None:
        lock.close()
    return lock is None
