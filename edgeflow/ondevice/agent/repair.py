"""Repair of what a kill, a fault or a hand left."""

from __future__ import annotations

import contextlib
import os
import stat

from .audit import audit, rotate
from .files import write_json
from .folders import close_to, discard, discard_scratch, is_folder, make_folder, set_aside
from .journal import journal_of, sound, stored_journal
from .release import fallback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .model import Model


def repair(model: Model) -> None:
    """Bring what a kill, a fault or a hand left into a known state; the lock is held."""
    make_folder(model.releases)
    rotate(model.folder)
    discard_leftovers(model)
    for folder in (model.folder, model.releases, model.incoming):
        with contextlib.suppress(OSError):  # it is somebody else's, or not there
            close_to(folder, stat.S_IWOTH)
    stored = stored_journal(model)
    journal = journal_of(model)
    if not sound(stored) and (journal["releases"] or os.path.lexists(model.journal_path)):
        if is_folder(model.journal_path):
            set_aside(model.journal_path)
        write_json(model.journal_path, journal)
        audit(model.folder, "repair", fault="the journal is missing or damaged")
    fault = model.fault()
    if fault is not None:
        to = fallback(model, model.pointed(), journal)
        model.switch(to)
        audit(model.folder, "repair", fault=fault, to=to)


def discard_leftovers(model: Model) -> None:
    """Remove what a killed verb left; the lock says that none is running."""
    discard(model.journal_path + ".tmp")
    discard(model.link_new)
    model.discard_caches()
    discard_scratch(model.releases)
    discard_scratch(model.incoming)
