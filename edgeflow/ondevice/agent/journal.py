"""The journal of a model's releases, or what can be known without it."""

from __future__ import annotations

import contextlib
import json
import math
import os

from .answer import Refused
from .files import PASSING, read_plain
from .folders import is_folder
from .manifest import SHA, manifest_digest, release_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .answer import Json
    from .model import Model

JOURNAL_MAX_BYTES = 4 << 20
JOURNAL_FORMAT = 3
STATES = ("staged", "confirmed", "rolled_back", "rejected")


def journal_of(model: Model) -> Json:
    """Return the journal, or what can be known without it."""
    stored = stored_journal(model)
    journal: Json = stored if sound(stored) else rebuilt(model, stored)
    return journal


def stored_journal(model: Model) -> Any:
    """Return what the journal's file holds; None if that is no JSON.

    Raises:
        Refused: a newer agent has written it.
    """
    try:
        stored = json.loads(read_plain(model.journal_path, JOURNAL_MAX_BYTES).decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    except OSError as error:
        if error.errno in PASSING:  # it may well be sound: a new one would lose what it says
            raise
        return None
    form = stored.get("format") if isinstance(stored, dict) else None
    if isinstance(form, int) and form > JOURNAL_FORMAT:
        raise Refused(
            "newer",
            f"a newer agent has written the journal, in format {form}; this one knows "
            f"{JOURNAL_FORMAT} and changes nothing",
        )
    return upgraded(stored) if form == 2 else stored


def upgraded(stored: Json) -> Json:
    """Return a journal of the second format in this one; it knew no switch on trial."""
    with contextlib.suppress(TypeError, KeyError, AttributeError):
        for entry in stored["releases"].values():
            entry["state"] = {"passed": "confirmed"}.get(entry["state"], entry["state"])
        return journal_with(stored["releases"])
    return stored


def journal_with(releases: Json, counter: int = 0) -> Json:
    """Return a journal of releases that nobody is trying."""
    return {
        "format": JOURNAL_FORMAT,
        "releases": releases,
        "pending": None,
        "last": None,
        "counter": counter,
    }


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
                "state": "confirmed" if name in (current, previous) else "staged",
            }
    if current in releases and previous in releases and current != previous:
        releases[current]["previous"] = previous
    counter = release_counter(model.release(current)) if current in releases else 0
    return journal_with(releases, counter)


def sound(journal: Any) -> bool:
    """Tell whether a journal has the form that `Model` describes."""
    try:
        return (
            bool(journal["format"] == JOURNAL_FORMAT)
            and all(
                SHA.fullmatch(name) and sound_entry(name, entry)
                for name, entry in journal["releases"].items()
            )
            and sound_pending(journal["pending"])
            and sound_last(journal["last"])
            and whole_number(journal["counter"])
        )
    except (TypeError, KeyError, AttributeError):
        return False


def whole_number(value: Any) -> bool:
    """Tell whether a value is an integer, and neither true nor false."""
    return isinstance(value, int) and not isinstance(value, bool)


def finite(value: Any) -> bool:
    """Tell whether a value is a number that a float can be: JSON has larger ones, and none."""
    try:
        return not isinstance(value, bool) and math.isfinite(value)
    except (TypeError, OverflowError):
        return False


def sound_pending(pending: Any) -> bool:
    """Tell whether what the journal says of a switch on trial has the right form."""
    if pending is None:
        return True
    names = [pending["target"], pending["token"], pending["previous"] or pending["target"]]
    deadline = pending["deadline"]
    timed = isinstance(deadline["boot"], str) and finite(deadline["monotonic_s"])
    return all(SHA.fullmatch(name) for name in names) and timed and pending["healthy"] in (0, 1)


def sound_last(last: Any) -> bool:
    """Tell whether what the journal says of the last trial has the right form."""
    if last is None:
        return True
    return all(SHA.fullmatch(last[key]) for key in ("target", "token")) and last["state"] in STATES


def sound_entry(name: str, entry: Json) -> bool:
    """Tell whether a journal's entry for a release has the right form."""
    previous = entry["previous"]
    known = previous is None or (SHA.fullmatch(previous) and previous != name)
    signer = entry.get("signed_by")
    named = signer is None or isinstance(signer, str)
    whole = SHA.fullmatch(entry["manifest"]) and whole_number(entry["number"]) and known and named
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
