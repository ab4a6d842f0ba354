"""What changes nothing: what is on the device, and whether it is whole."""

from __future__ import annotations

import os
import sys

from .answer import Refused
from .files import sha256
from .folders import is_folder, size_bytes
from .journal import installed, journal_of, state_of
from .model import Model
from .packed import zstd
from .release import fallback, verify_release
from .space import free

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def status(options: argparse.Namespace) -> Json:
    """Describe the device and what one model's folder holds."""
    model = Model(options.model_dir)
    journal, current = journal_of(model), model.current()
    releases = installed(model, journal)
    return dict(
        free(model.folder),
        agent_sha256=program_sha256(),
        python=sys.version.split()[0],
        machine=os.uname().machine,
        current=current,
        fault=model.fault(),
        previous=fallback(model, current, journal, verified=False),
        rejected=[name for name in releases if state_of(name, journal) == "rejected"],
        releases=releases,
        signed_by=journal["releases"].get(current, {}).get("signed_by"),
        since_unix_s=since_unix_s(model) if current else None,
        zstd=zstd(),
    )


def since_unix_s(model: Model) -> float:
    """Return when `current` was switched, by this device's clock; that may never have been set."""
    return max(0.0, os.lstat(model.link).st_mtime)


def program_sha256() -> str | None:
    """Return the digest of the one file that we run from; None if it is a folder of modules."""
    program = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return sha256(program) if os.path.isfile(program) else None


def verify(options: argparse.Namespace) -> Json:
    """Hash a release again, the current one by default."""
    model = Model(options.model_dir)
    name, fault = options.sha or model.current(), model.fault()
    if name is None and fault is not None:
        raise Refused("corrupt", fault)
    if name is None:
        raise Refused("absent", "no release is current")
    verify_release(model, name)
    return {"verified": name}


def models(options: argparse.Namespace) -> Json:
    """List the models on the device: what of each is in use, and how many bytes it takes."""
    root, found = os.path.abspath(options.root_dir), []
    for name in sorted(os.listdir(root)) if is_folder(root) else ():
        model = Model(os.path.join(root, name))
        if is_folder(model.releases):
            size = size_bytes(model.folder)
            found.append({"name": name, "current": model.current(), "size_bytes": size})
    return {"models": found}
