"""Removal: of old releases, or of a whole model."""

from __future__ import annotations

import os

from .answer import Refused
from .boot_entry import leave_boot
from .files import fsync
from .folders import discard, is_folder
from .journal import journal_of
from .kept import prune_releases
from .lock import LOCK, locked, remove_locked
from .model import Model
from .pending import require_settled
from .repair import repair
from .uploads import discard_uploads

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def prune(options: argparse.Namespace) -> Json:
    """Remove uploads that stand still, and releases beyond those worth keeping.

    What stays: current and previous, the newest `keep` that passed, and the newest one each of
    those not judged yet and those rejected, so that failures never push out what works.
    """
    model = Model(options.model_dir)
    with locked(model.folder, "prune"):
        repair(model)
        removed = prune_releases(model, options.keep)
        discard_uploads(model.incoming, None)
    return {"removed": removed}


def unserve(options: argparse.Namespace) -> Json:
    """Let nothing start the service of a model at boot; one that runs goes on."""
    leave_boot(os.path.abspath(options.model_dir))
    return {"served": False}


def forget(options: argparse.Namespace) -> Json:
    """Remove a model with all its releases: what is in use first, the releases last."""
    model = Model(options.model_dir)
    if not is_folder(model.releases):
        raise Refused("absent", f"there is no model in {model.folder}")
    with locked(model.folder, "forget"):
        repair(model)
        require_settled(journal_of(model))
        model.switch(None)
        leave_boot(model.folder)
        # If this is killed, the releases still show the model, and the next run goes on.
        for entry in sorted(os.listdir(model.folder), key="releases".__eq__):
            if entry != LOCK:
                discard(os.path.join(model.folder, entry))
        remove_locked(model.folder)
    fsync(os.path.dirname(model.folder))
    return {"removed": True}
