"""Repair of what a kill, a fault or a hand left."""

from __future__ import annotations

import contextlib
import os
import stat

from .audit import audit, rotate
from .boot import boot_id
from .files import write_json
from .folders import close_to, discard, discard_scratch, is_folder, make_folder, set_aside
from .journal import journal_of, sound, state_of, stored_journal
from .pending import settle, watched
from .release import fallback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json
    from .model import Model


def repair(model: Model) -> Json | None:
    """Bring what a kill, a fault or a hand left into a known state; the lock is held.

    Returns:
        The release of a switch that was taken back, and what came of it.
    """
    stored = stored_journal(model)  # one of a newer agent is refused before anything changes
    make_folder(model.releases)
    rotate(model.folder)
    discard_leftovers(model)
    for folder in (model.folder, model.releases, model.incoming):
        with contextlib.suppress(OSError):  # it is somebody else's, or not there
            close_to(folder, stat.S_IWOTH)
    journal = journal_of(model)
    if not sound(stored) and (journal["releases"] or os.path.lexists(model.journal_path)):
        if is_folder(model.journal_path):
            set_aside(model.journal_path)
        write_json(model.journal_path, journal)
        audit(model.folder, "repair", fault="the journal is missing or damaged")
    settled = settle_abandoned(model, journal)
    fault = model.fault() or rejected_in_use(model, journal)
    if fault is not None:
        to = fallback(model, model.pointed(), journal)
        model.switch(to)
        audit(model.folder, "repair", fault=fault, to=to)
    return settled


def settle_abandoned(model: Model, journal: Json) -> Json | None:
    """Take back a switch that nobody watches any more; return its release and what came of it."""
    pending = journal["pending"]
    if pending is None or watched(model, pending):
        return None
    rebooted = pending["deadline"]["boot"] != boot_id()
    done = settle(model, journal, "the device was restarted" if rebooted else "nobody watched it")
    return dict(done, sha=pending["target"])


def rejected_in_use(model: Model, journal: Json) -> str | None:
    """Return the fault that a rollback leaves if it is killed before the link; or None."""
    name = model.current()
    if name is None or journal["pending"] or state_of(name, journal) != "rejected":
        return None
    return f"release {name} was rejected"


def discard_leftovers(model: Model) -> None:
    """Remove what a killed verb left; the lock says that none is running."""
    discard(model.journal_path + ".tmp")
    discard(model.link_new)
    model.discard_caches()
    discard_scratch(model.releases)
    discard_scratch(model.incoming)
