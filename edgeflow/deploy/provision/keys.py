"""The key that deploys: what it may run on a device, and its line of ``authorized_keys`` there."""

import hashlib
import inspect
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.bundle.signing import allowed_signer
from edgeflow.config.publickey import public_half
from edgeflow.config.signing import Signing
from edgeflow.deploy import checkup
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.facts import ENERGY, FACTS
from edgeflow.errors import DeployError, SigningError
from edgeflow.ondevice import guard
from edgeflow.ondevice.agent.signature import ALLOWED, REVOKED
from edgeflow.remote.channel import SOURCE, TEXT, program_path, stored_source
from edgeflow.remote.inventory import Account

GUARD = "guard.py"
SETTINGS = "guard.json"


def public_of(account: Account) -> str:
    """Return the public key that an account logs in with, as ``ssh-ed25519 AAAA...``.

    Raises:
        DeployError: its file does not say.
    """
    found = public_half(account.identity)
    if found is None:
        raise DeployError(
            f"{account.identity} does not say which public key belongs to it",
            hint="write it beside it: ssh-keygen -y -f "
            f"{account.identity} > {account.identity}.pub",
        )
    return found


def trusted(signing: Signing | None, *, signatures: bool) -> dict[str, bytes]:
    """Return the files by which a device knows whose bundles to take, by name.

    Args:
        signing: the configuration's section.
        signatures: whether the device is to take signed bundles alone.

    Raises:
        SigningError: the public half of the key that signs cannot be told.
        DeployError: the list of revoked keys cannot be read.
    """
    if signing is None or not signatures:
        return {}
    key = Path(signing.key).expanduser()
    public = public_half(key)
    if public is None:
        raise SigningError(
            f"{key} does not say by which public key devices verify",
            hint=f"write it beside it: ssh-keygen -y -f {key} > {key}.pub",
        )
    found = {ALLOWED: allowed_signer(signing.signer, public).encode()}
    if signing.revoked is not None:
        found[REVOKED] = _read(Path(signing.revoked))
    return found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DeployError(
            f"the revoked keys in {path} cannot be read: {error.strerror}",
            hint="fix `signing: revoked:` in config.yaml",
        ) from error


def files(unit: Mapping[str, Any], folder: str) -> dict[str, bytes]:
    """Return what the guard consists of, by name.

    Args:
        unit: what engines are told there.
        folder: the one that edgeflow owns, as sessions name it.
    """
    sessions = (SOURCE, stored_source(program_path(folder)))
    texts = (FACTS, ENERGY, checkup.PROGRAM)
    programs = (*sessions, TEXT, agent_program(), *(text.encode() for text in texts))
    digests = sorted(hashlib.sha256(program).hexdigest() for program in programs)
    settings = json.dumps({"programs": digests, "unit": dict(unit)}, indent=1, sort_keys=True)
    return {GUARD: inspect.getsource(guard).encode(), SETTINGS: settings.encode()}


def entry(public: str, root: str, python: str) -> str:
    """Return the line that lets a key run the guard, and nothing else.

    Args:
        public: the key, as in ``ssh-ed25519 AAAA...``.
        root: the folder that edgeflow owns on the device, absolute.
        python: the interpreter there, absolute.
    """
    command = shlex.join([python, "-I", "-S", f"{root}/trust/{GUARD}", root])
    escaped = command.replace("\\", "\\\\").replace('"', '\\"')
    return f'restrict,command="{escaped}" {public}'


def require_free(public: str, line: str, authorized: list[str], title: str) -> None:
    """Refuse a key that deploys to another folder of the same account.

    Raises:
        DeployError: it does.
    """
    blob = public.split()[1]
    others = [it for it in authorized if blob in it.split() and GUARD in it and it != line]
    root = line.split(f"/trust/{GUARD}")[0].rpartition(" ")[2]
    if any(f"{root}/trust/{GUARD}" not in it for it in others):
        raise DeployError(
            f"the key for {title} deploys to another folder of that account already",
            hint="give each device of a host an `identity` of its own",
        )
