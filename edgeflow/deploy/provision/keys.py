"""The key that deploys: what it may run on a device, and its line of ``authorized_keys`` there."""

import hashlib
import inspect
import json
import shlex
from collections.abc import Mapping
from typing import Any

from edgeflow.deploy import checkup
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.facts import ENERGY, FACTS
from edgeflow.errors import DeployError
from edgeflow.ondevice import guard
from edgeflow.remote.channel import SOURCE, program_path, stored_source
from edgeflow.remote.inventory import Account
from edgeflow.remote.login import login_key

GUARD = "guard.py"
SETTINGS = "guard.json"


def public_half(account: Account) -> str:
    """Return the public key that an account logs in with, as ``ssh-ed25519 AAAA...``.

    Raises:
        DeployError: there is no such key.
    """
    key = login_key(account)
    return f"{key.get_name()} {key.get_base64()}"


def files(unit: Mapping[str, Any], folder: str) -> dict[str, bytes]:
    """Return what the guard consists of, by name.

    Args:
        unit: what engines are told there.
        folder: the one that edgeflow owns, as sessions name it.
    """
    sessions = (SOURCE, stored_source(program_path(folder)))
    texts = (FACTS, ENERGY, checkup.PROGRAM)
    programs = (*sessions, agent_program(), *(text.encode() for text in texts))
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
