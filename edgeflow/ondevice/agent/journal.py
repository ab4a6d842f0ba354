"""The journal of a model's releases, or what can be known without it."""

from __future__ import annotations

import contextlib
import json
import os

from .answer import Refused
from .files import read_plain
from .folders import is_folder
from .manifest import SHA, manifest_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .answer import Json
    from .model import Model

JOURNAL_MAX_BYTES = 4 << 20
JOURNAL_FORMAT = 2
STATES = ("staged", "passed", "rejected")


def journal_of(model: Model) -> Json:
    """Return the journal, or what can be known without it."""
    stored = stored_journal(model)
    journal: Json = stored if sound(stored) else rebuilt(model, stored)
    return journal


def stored_journal(model: Model) -> Any:
    """Return what the journal's file holds; None if that is no JSON."""
    try:
        return json.loads(read_plain(model.journal_path, JOURNAL_MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def rebuilt(model: Model, stored: Any) -> Json:
    """Return a journal of the releases that agree with their own manifests.

    Args:
        stored: what the file holds. The first format named one previous release.
    """
    from .signature import signer_of_release

    releases: Json = {}
    current = model.current()
    previous = str(stored.get("previous")) if isinstance(stored, dict) else None
    for name in installed(model, {"releases": {}}):
        with contextlib.suppress(Refused):
            releases[name] = {
                "manifest": manifest_digest(model.release(name)),
                "number": len(releases),
                "previous": None,
                "signed_by": signer_of_release(model.release(name), model.trust),
                "state": "passed" if name in (current, previous) else "staged",
            }
    if current in releases and previous in releases and current != previous:
        releases[current]["previous"] = previous
    return {"format": JOURNAL_FORMAT, "releases": releases}


def sound(journal: Any) -> bool:
    """Tell whether a journal has the form that `Model` describes."""
    try:
        return bool(journal["format"] == JOURNAL_FORMAT) and all(
            SHA.fullmatch(name) and sound_entry(name, entry)
            for name, entry in journal["releases"].items()
        )
    except (TypeError, KeyError, AttributeError):
        return False


def sound_entry(name: str, entry: Json) -> bool:
    """Tell whether a journal's entry for a release has the right form."""
    previous = entry["previous"]
    known = previous is None or (SHA.fullmatch(previous) and previous != name)
    number = entry["number"]
    counted = isinstance(number, int) and not isinstance(number, bool)
    signer = entry.get("signed_by")
    named = signer is None or isinstance(signer, str)
    whole = SHA.fullmatch(entry["manifest"]) and counted and known and named
    return bool(whole) and entry["state"] in STATES


def state_of(name: str, journal: Json) -> str:
    """Return a release's state; one that the journal does not know is not judged yet."""
    return str(journal["releases"].get(name, {"state": "staged"})["state"])


def installed(model: Model, journal: Json) -> list[str]:
    """Return the releases on the device, the oldest first."""
    if not os.path.isdir(model.releases):
        return []
    entries = journal["releases"]

    def age(name: str) -> tuple[int, float, str]:
        number = entries[name]["number"] if name in entries else -1
        return number, os.lstat(model.release(name)).st_mtime, name

    names = [name for name in os.listdir(model.releases) if SHA.fullmatch(name)]
    return sorted((name for name in names if is_folder(model.release(name))), key=age)
