"""The folder of one model, and the link that says which release is in use."""

from __future__ import annotations

import errno
import os

from .files import fsync, remove
from .folders import discard, is_folder, scratch_path, set_aside
from .manifest import SHA

# Of what a link points at, in an answer: the caller bounds what it reads.
QUOTED_CHARACTERS = 200


class Model:
    """The folder of one model: incoming, releases, current, journal, audit log.

    The journal has an entry for each release: the SHA-256 of its `manifest`, the `number` of its
    installation, its `state`, who it is `signed_by`, if anyone, and the `previous` release, which
    was current before it. It is written before `current` is switched, and never
    says which release that is: the link does. So a kill between the two leaves a journal that is
    true of the old release and of the new one.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.releases = os.path.join(self.folder, "releases")
        self.caches = os.path.join(self.folder, "cache")
        self.incoming = os.path.join(self.folder, "incoming")
        self.link = os.path.join(self.folder, "current")
        self.link_new = os.path.join(self.folder, ".current.tmp")
        self.trust = os.path.join(os.path.dirname(self.folder), "trust")
        self.journal_path = os.path.join(self.folder, "journal.json")

    def release(self, name: str) -> str:
        """Return the folder of a release."""
        return os.path.join(self.releases, name)

    def discard_caches(self) -> None:
        """Remove what engines made of releases that are gone; they make it anew if they must."""
        for name in os.listdir(self.caches) if is_folder(self.caches) else ():
            if not is_folder(self.release(name)):
                discard(os.path.join(self.caches, name))

    def scratch(self, name: str) -> str:
        """Return a path beside the releases that the next verb clears if this one is killed."""
        return scratch_path(self.releases, name)

    def pointed(self) -> str | None:
        """Return the release that `current` names, be it there or not."""
        try:
            target = os.readlink(self.link)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL):  # nothing there; no link
                return None
            raise
        name = os.path.basename(target)
        inside = os.path.normpath(os.path.join(self.folder, target)) == self.release(name)
        return name if inside and SHA.fullmatch(name) else None

    def current(self) -> str | None:
        """Return the SHA-256 of the release in use."""
        name = self.pointed()
        return name if name is not None and is_folder(self.release(name)) else None

    def fault(self) -> str | None:
        """Return what is wrong with `current`; None if it is in order, or not there."""
        if not os.path.lexists(self.link) or self.current() is not None:
            return None
        if not os.path.islink(self.link):
            return "current is no link"
        name, target = self.pointed(), os.readlink(self.link)
        if name is None:
            return f"current points at {target[:QUOTED_CHARACTERS]}, which is no release"
        return f"current points at release {name}, which is not there"

    def switch(self, name: str | None) -> None:
        """Switch `current` in one step; a reader sees the old release or the new one."""
        if os.path.lexists(self.link) and not os.path.islink(self.link):
            set_aside(self.link)
        if name is None:
            remove(self.link)
        else:
            os.symlink(os.path.join("releases", name), self.link_new)
            os.replace(self.link_new, self.link)
        fsync(self.folder)
