"""What changes nothing: what is on the device, and whether it is whole."""

from __future__ import annotations

import contextlib
import os
import sys

from .answer import PROTOCOL, Refused
from .boot import left_s
from .files import sha256
from .folders import is_folder, size_bytes
from .journal import installed, journal_of, state_of
from .model import Model
from .packed import zstd
from .pending import trial_state
from .program import program_file
from .release import fallback, verify_release, whole
from .signature import must_sign, signer_of_release, signers
from .space import free

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


# No lock is taken: a verb that is at work may take away what is just being looked at.
LOOKS = 5


def status(options: argparse.Namespace) -> Json:
    """Describe the device, what one model's folder holds, and whether a release in it is whole."""
    model = Model(options.model_dir)
    for _ in range(LOOKS - 1):
        with contextlib.suppress(FileNotFoundError):
            return dict(described(model), intact=intact(model, options.release))
    return dict(described(model), intact=intact(model, options.release))


def intact(model: Model, name: str | None) -> Json | None:
    """Return who signed a release that is there, whole; None where it is not."""
    if name is None or not whole(model, name):
        return None
    return {"signed_by": signer_of_release(model.release(name), model.trust)}


def described(model: Model) -> Json:
    """Return the answer of `status`.

    Raises:
        FileNotFoundError: something has just been taken away.
    """
    journal, current = journal_of(model), model.current()
    releases = installed(model, journal)
    return dict(
        free(model.folder),
        python=sys.version.split()[0],
        machine=os.uname().machine,
        current=current,
        fault=model.fault(),
        previous=previous(model, journal, current),
        protocol=PROTOCOL,
        state=state_of_current(model, journal, current),
        pending=pending_of(journal),
        counter=journal["counter"],
        rejected=[name for name in releases if state_of(name, journal) == "rejected"],
        releases=releases,
        signed_by=journal["releases"].get(current, {}).get("signed_by"),
        signers=signers(model.trust),
        since_unix_s=since_unix_s(model) if current else None,
        trust="signatures" if must_sign(model.trust) else "transport",
        zstd=zstd(),
    )


def previous(model: Model, journal: Json, current: str | None) -> str | None:
    """Return the release that a rollback would bring back, if it is as it was installed."""
    pending = journal["pending"]
    if pending and current == pending["target"]:
        before: str | None = pending["previous"]
        return before
    return fallback(model, current, journal, verified=False)


def state_of_current(model: Model, journal: Json, current: str | None) -> str | None:
    """Return how far the release in use has come; None where there is none."""
    pending = journal["pending"]
    if pending and current == pending["target"]:
        return trial_state(model, pending)
    return None if current is None else state_of(current, journal)


def pending_of(journal: Json) -> Json | None:
    """Return the switch on trial, and the seconds that are left to confirm it."""
    pending = journal["pending"]
    if pending is None:
        return None
    return {
        "sha": pending["target"],
        "previous": pending["previous"],
        "left_s": left_s(pending["deadline"]),
    }


def since_unix_s(model: Model) -> float:
    """Return when `current` was switched, by this device's clock; that may never have been set."""
    return max(0.0, os.lstat(model.link).st_mtime)


def program_sha256() -> str | None:
    """Return the digest of the one file that we run from; None if it is a folder of modules."""
    program = program_file()
    return sha256(program) if program else None


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
