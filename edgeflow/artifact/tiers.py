"""Which stores the steps of this process use: the local one, and behind it a remote one."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from edgeflow.artifact.entry import Entry
from edgeflow.artifact.store import Store
from edgeflow.config.store import Store as Section
from edgeflow.toolchain.environment import FOLDER as TOOLCHAINS

FOLDER = "EDGEFLOW_STORE"
"""Environment variable that names the local store's folder; ``off`` turns all stores off."""
REMOTE = "EDGEFLOW_STORE_REMOTE"
"""Environment variable with the URL of the remote store; empty for none."""
PUSH = "EDGEFLOW_STORE_PUSH"
"""Environment variable that says ``true`` where the remote store gets what is built."""


class Cache(Protocol):
    """Anything that finds again what a step made before."""

    def fetch(self, key: str, out: Path) -> Entry | None:
        """Put the verified files of a key into the empty folder `out`, or nothing."""

    def put(self, entry: Entry, folder: Path) -> None:
        """Keep the files of `folder`; never fails."""


@dataclass(frozen=True, slots=True)
class Tiers:
    """A near store in front of a far one."""

    near: Cache
    far: Cache

    def fetch(self, key: str, out: Path) -> Entry | None:
        """Ask the far store for what the near one has not, and keep it near."""
        entry = self.near.fetch(key, out)
        if entry is None:
            entry = self.far.fetch(key, out)
            if entry is not None:
                self.near.put(entry, out)
        return entry

    def put(self, entry: Entry, folder: Path) -> None:
        """Keep the files in both."""
        self.near.put(entry, folder)
        self.far.put(entry, folder)


def environment(section: Section) -> dict[str, str]:
    """Return the variables that tell steps what the configuration says of stores and caches."""
    folder = Path(section.path).expanduser().absolute()
    return {
        FOLDER: str(folder / "store"),
        TOOLCHAINS: str(folder / "toolchains"),
        REMOTE: section.remote or "",
        PUSH: "true" if section.push else "false",
    }


def current_store() -> Store | None:
    """Return the local store that this process' environment names, or None if it is off."""
    place = os.environ.get(FOLDER) or environment(Section())[FOLDER]
    return None if place == "off" else Store(Path(place).expanduser())


def current_cache() -> Cache | None:
    """Return where steps look for what was made before, or None if that is off."""
    store, url = current_store(), os.environ.get(REMOTE)
    if store is None or not url:
        return store
    from edgeflow.artifact.remote import Remote

    return Tiers(store, Remote(url, os.environ.get(PUSH) == "true", store))
