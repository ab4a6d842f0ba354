"""Which releases and outputs stay on the device, and the removal of the others."""

from __future__ import annotations

import os
import re

from .audit import audit
from .files import idle_s, write_json
from .folders import discard
from .journal import installed, journal_of, state_of
from .release import fallback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json
    from .model import Model

# A file for each output of a model and each project that measures it, or asks it of samples.
OUTPUTS = re.compile(r"(outputs\.[0-9a-f]{16}\..+|samples\.[0-9a-f]{16})\.npy(\.part)?")
FETCHED_S = 86400.0


def prune_releases(model: Model, keep: int, wanted: str | None = None) -> list[str]:
    """Remove releases that may go, each in one step; return their names."""
    journal = journal_of(model)
    entries = journal["releases"]
    removed = superfluous(model, journal, keep, wanted)
    for name in removed:
        os.rename(model.release(name), model.scratch("pruned-" + name))
        before = entries.pop(name, {"previous": None})["previous"]
        for other, entry in entries.items():
            if entry["previous"] == name:
                entry["previous"] = before if before != other else None
    if removed:
        write_json(model.journal_path, journal)
        audit(model.folder, "prune", removed=removed)
    for name in removed:
        discard(model.scratch("pruned-" + name))
    model.discard_caches()
    return removed


def discard_outputs(folder: str) -> None:
    """Remove outputs of measurements that every host must have fetched by now."""
    for entry in os.listdir(folder):
        path = os.path.join(folder, entry)
        if OUTPUTS.fullmatch(entry) and idle_s(path) > FETCHED_S:
            discard(path)


def superfluous(model: Model, journal: Json, keep: int, wanted: str | None) -> list[str]:
    """Return the releases that may go: see `prune`.

    Args:
        wanted: the release that room is made for; what was rejected before it can go.
    """
    current, present = model.current(), installed(model, journal)
    stay = {current, fallback(model, current, journal), wanted}
    if journal["pending"]:
        target, before = journal["pending"]["target"], journal["pending"]["previous"]
        stay.update((target, before, fallback(model, before, journal)))
    bad = 0 if wanted else 1
    limits = {"confirmed": keep, "staged": 1, "rolled_back": bad, "rejected": bad}
    for state, limit in limits.items():
        names = [name for name in present if state_of(name, journal) == state]
        stay.update(names[max(0, len(names) - limit) :])
    return [name for name in present if name not in stay]
