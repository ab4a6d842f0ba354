"""Private keys: a file, or one that the SSH agent holds. Never a password."""

import functools
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgeflow.errors import DeployError, EdgeflowError
from edgeflow.remote.inventory import Account

if TYPE_CHECKING:
    from paramiko import PKey

PASSPHRASE = "EDGEFLOW_PASSPHRASE"  # noqa: S105 # the name of a variable
_KEY_MAX_BYTES = 1 << 20
_PKCS8 = (b"-----BEGIN PRIVATE KEY", b"-----BEGIN ENCRYPTED PRIVATE KEY")
_ASKING = threading.Lock()  # several devices at a time, one question at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A private key that is wanted.

    Attributes:
        identity: its file; or that of its public half, if the SSH agent holds the private one.
        title: what it is for, in messages.
        setting: key of the configuration that names it.
        failure: what is raised where there is none.
    """

    identity: Path
    title: str
    setting: str
    failure: type[EdgeflowError]


def login_key(account: Account) -> "PKey":
    """Return the private key of an account's `identity`: see `private_key`.

    Raises:
        DeployError: there is none, and how to get it.
    """
    return private_key(
        Wanted(
            identity=account.identity,
            title=account.title,
            setting="identity",
            failure=DeployError,
        )
    )


def private_key(wanted: Wanted) -> "PKey":
    """Return a private key.

    A file that needs a passphrase is looked for in the SSH agent first; then the environment
    variable EDGEFLOW_PASSPHRASE is tried; a person is asked only at a terminal.

    Raises:
        EdgeflowError: `wanted.failure`: there is none, and how to get it.
    """
    path = wanted.identity
    text = _content(wanted)
    if text.startswith(b"PuTTY-User-Key-File"):
        raise wanted.failure(
            f"{path} for {wanted.title} is a key in PuTTY's format, which OpenSSH cannot read",
            hint=f"convert it: puttygen {path} -O private-openssh -o {path.with_suffix('')}",
        )
    if text.startswith(_PKCS8):
        raise wanted.failure(
            f"{path} for {wanted.title} is a key in PKCS #8, a format that is not supported",
            hint=f"convert it in place: ssh-keygen -p -f {path}",
        )
    public = _public_blob(text)
    if public is not None:
        if (key := _held_by_agent(public)) is None:
            raise _public_half(wanted)
        return key
    try:
        return _from_file(path, None)
    except Exception as error:  # whatever cryptography and paramiko raise for other bytes
        if (key := _agent_key(wanted)) is not None:
            return key
        if isinstance(error, TypeError):
            return _unlocked(wanted)
        raise _unusable(wanted, error) from error


def forget(key: "PKey") -> None:
    """Leave the SSH agent, if it holds the key; after the login it is not needed."""
    from paramiko.agent import Agent, AgentKey

    if isinstance(key, AgentKey) and isinstance(key.agent, Agent):
        key.agent.close()


def _content(wanted: Wanted) -> bytes:
    path = wanted.identity
    if not path.is_file():
        raise wanted.failure(
            f"no private key {path} for {wanted.title}",
            hint=f"create one: ssh-keygen -t ed25519 -f {path}",
        )
    try:
        with path.open("rb") as file:
            text = file.read(_KEY_MAX_BYTES)
    except OSError as error:
        raise _unusable(wanted, error) from error
    if text.startswith(b"-----BEGIN ") and not text.startswith(_PKCS8):
        _require_private(wanted)
    return text


def _require_private(wanted: Wanted) -> None:
    """Refuse a private key that other accounts may read, by the rule of OpenSSH's clients.

    That is `sshkey_perm_ok` in its authfile.c: the mode counts where the file is one's own.
    """
    facts = wanted.identity.stat()
    if facts.st_uid == os.getuid() and facts.st_mode & 0o077:
        raise wanted.failure(
            f"{wanted.identity}, the key for {wanted.title}, is open to other accounts of this "
            f"machine (mode {facts.st_mode & 0o777:04o})",
            hint=f"close it: chmod 600 {wanted.identity}; if others have read it, replace the key",
        )


def _public_blob(text: bytes) -> bytes | None:
    """Return the key of a line such as ``ssh-ed25519 AAAA... comment``; None for other text."""
    import binascii

    words = text.split()
    if len(words) < 2 or not words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return None
    try:
        return binascii.a2b_base64(words[1])
    except binascii.Error:
        return None


def _held_by_agent(public: bytes) -> "PKey | None":
    from paramiko import Agent, SSHException

    try:
        agent = Agent()
    except (SSHException, OSError, EOFError):
        return None
    found = next((key for key in agent.get_keys() if key.asbytes() == public), None)
    if found is None:
        agent.close()
    return found


def _public_half(wanted: Wanted) -> EdgeflowError:
    """Return the failure of a public key whose private half no agent has."""
    path = wanted.identity
    agent = "the SSH agent does not hold the private one"
    if "SSH_AUTH_SOCK" not in os.environ:
        agent = "no SSH agent runs here (SSH_AUTH_SOCK is not set)"
    return wanted.failure(
        f"{path} for {wanted.title} is a public key, and {agent}",
        hint=f"name the private file ({path.with_suffix('')}), or add it: "
        f"ssh-add {path.with_suffix('')}",
    )


def _from_file(path: Path, passphrase: bytes | None) -> "PKey":
    from paramiko import PKey

    # Its annotation says str, but what decrypts takes bytes.
    return PKey.from_path(path, passphrase)  # type: ignore[arg-type]


def _agent_key(wanted: Wanted) -> "PKey | None":
    """Return the agent's key for a private file that cannot be used as it is."""
    public = wanted.identity.with_name(f"{wanted.identity.name}.pub")
    blob = _public_blob(public.read_bytes()) if public.is_file() else None
    return _held_by_agent(blob) if blob is not None else None


def _unlocked(wanted: Wanted) -> "PKey":
    path, passphrase = wanted.identity, _passphrase(wanted)
    try:
        return _from_file(path, passphrase.encode())
    except ValueError as error:
        raise wanted.failure(
            f"the passphrase does not open {path}, the key for {wanted.title}",
            hint=f"check {PASSPHRASE}, or unlock the key once: ssh-add {path}",
        ) from error
    except Exception as error:
        raise _unusable(wanted, error) from error


def _passphrase(wanted: Wanted) -> str:
    if given := os.environ.get(PASSPHRASE):
        return given
    if sys.stdin.isatty() and sys.stderr.isatty():
        with _ASKING:
            return _typed(wanted.identity)
    raise wanted.failure(
        f"{wanted.identity}, the key for {wanted.title}, is protected by a passphrase",
        hint=f"unlock it once: ssh-add {wanted.identity} (its public half must lie beside it); "
        f"or set {PASSPHRASE}",
    )


@functools.cache
def _typed(identity: Path) -> str:
    """Ask for the passphrase of a file, once for all devices that it opens."""
    from getpass import getpass

    return getpass(f"passphrase of {identity}: ")


def _unusable(wanted: Wanted, error: Exception) -> EdgeflowError:
    from paramiko.pkey import UnknownKeyType

    path, reason = wanted.identity, str(error)
    if isinstance(error, UnknownKeyType):
        reason = "keys of its kind (DSA) are no longer used"
    return wanted.failure(
        f"{path} is no private key for {wanted.title}: {reason}",
        hint=f"create one: ssh-keygen -t ed25519 -f {path}-new, and name it as "
        f"`{wanted.setting}`; a security key (sk) is named by its .pub file, and used through the "
        "SSH agent",
    )
