"""Releases: whether one is what was installed, and which one to go back to."""

from __future__ import annotations

import contextlib

from .answer import Refused
from .folders import is_folder
from .journal import journal_of
from .manifest import MANIFEST, manifest_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json
    from .model import Model


def verify_release(model: Model, name: str) -> None:
    """Refuse a release that is not, byte by byte, what was installed."""
    digest = manifest_digest(model.release(name))
    if digest != journal_of(model)["releases"].get(name, {}).get("manifest"):
        raise Refused("corrupt", f"{MANIFEST} of release {name} was changed")


def whole(model: Model, name: str) -> bool:
    """Tell whether a release is, byte by byte, what was installed."""
    with contextlib.suppress(Refused):
        verify_release(model, name)
        return True
    return False


def fallback(model: Model, name: str | None, journal: Json, *, verified: bool = True) -> str | None:
    """Return the nearest release before `name` that passed and is there.

    Args:
        verified: whether it must also be what was installed, byte by byte.
    """
    seen, entries = {name}, journal["releases"]
    while name in entries:
        name = entries[name]["previous"]
        if name in seen:
            break
        seen.add(name)
        passed = name in entries and entries[name]["state"] == "confirmed"
        if name and passed and (whole(model, name) if verified else is_folder(model.release(name))):
            return name
    return None
