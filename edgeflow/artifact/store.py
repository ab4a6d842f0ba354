"""The store: what a step made before, found again by all that could have changed it.

Layout below the store's folder::

    entries/<key[:2]>/<key>.json    which files an execution of a step made
    blobs/<sha[:2]>/<sha>           their bytes, read-only, shared by all entries

A key is the digest of a step's input bytes, slice, tool versions and code. Entries appear
whole or not at all, and every byte is verified when it is taken out. Nothing here locks:
whatever two processes do at once, what cannot be verified counts as not there.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeflow.artifact.atomic import fsync, write_text
from edgeflow.artifact.clone import clone
from edgeflow.artifact.entry import LARGEST_BYTES, Blob, Entry, unseal
from edgeflow.artifact.hashing import read_regular, sha256_file
from edgeflow.console import say

_GONE = "is not in the store any more"
_OTHER = "has other bytes than were stored"
GRACE_S = 600.0
"""How long bytes that no entry names are kept: a `put` may be about to write their entry."""
SCRATCH = ".part-"
"""How the name of a folder begins that holds a blob not yet whole."""


def entry_name(key: str) -> str:
    """Return where the entry of a key is, below a store."""
    return f"entries/{key[:2]}/{key}.json"


def blob_name(sha256: str) -> str:
    """Return where the bytes with a digest are, below a store."""
    return f"blobs/{sha256[:2]}/{sha256}"


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of entries, safe to share between processes, checkouts and branches."""

    root: Path

    def entry_path(self, key: str) -> Path:
        """Return where the entry of a key is, or would be."""
        return self.root / entry_name(key)

    def blob_path(self, sha256: str) -> Path:
        """Return where the bytes with a digest are, or would be."""
        return self.root / blob_name(sha256)

    def keys_by_use(self) -> list[str]:
        """Return the keys of all entries, the longest unused first."""
        keys = sorted(path.stem for path in self.root.glob("entries/*/*.json"))
        return sorted(keys, key=self.last_used_unix_s)

    def last_used_unix_s(self, key: str) -> float:
        """Return when an entry was last put or fetched; 0 if it is not there."""
        try:
            return self.entry_path(key).stat().st_mtime
        except OSError:
            return 0.0

    def entries(self) -> Iterator[Entry]:
        """Yield all entries, the longest unused first; those that cannot be read are dropped."""
        for key in self.keys_by_use():
            entry = self.find(key)
            if entry is not None:
                yield entry

    def find(self, key: str) -> Entry | None:
        """Return the entry of a key, or None; its files are not looked at."""
        try:
            return unseal(read_regular(self.entry_path(key), LARGEST_BYTES), key)
        except OSError:  # not there, or not for us to read
            return None
        except ValueError as error:
            self.drop(key, f"its entry {str(error).splitlines()[0]}")
            return None

    def fetch(self, key: str, out: Path) -> Entry | None:
        """Put the files of a key into the empty folder `out`; None if they are not all there.

        A corrupt entry is dropped, said so, and counts as not there.
        """
        entry = self.find(key)
        if entry is None:
            return None
        try:
            wrong = self._fill(entry, out)
        except OSError as error:
            say(f"the store {self.root} cannot give {entry.name}: {error.strerror or error}")
            empty(out)
            return None
        if wrong:
            self.drop(key, wrong)
            empty(out)
            return None
        with contextlib.suppress(OSError):  # a read-only store is a good store
            os.utime(self.entry_path(key))
        return entry

    def put(self, entry: Entry, folder: Path) -> None:
        """Keep the files of `folder` under the entry's key.

        A store that cannot be written is said so and changes nothing: the caller has its files.
        """
        try:
            for name, blob in entry.files.items():
                self._keep(folder / name, blob)
            write_text(self.entry_path(entry.key), entry.sealed())
        except OSError as error:
            say(f"the store {self.root} cannot keep {entry.name}: {error.strerror or error}")

    def drop(self, key: str, why: str) -> None:
        """Forget an entry and say so; its bytes stay until the next `collect`."""
        say(f"the store drops {key[:12]}: {why}; it will be made again")
        with contextlib.suppress(OSError):
            self.entry_path(key).unlink(missing_ok=True)

    def verify(self, entry: Entry) -> list[str]:
        """Read all bytes of an entry; drop it if some are wrong, and return which."""
        wrong = []
        for name, blob in entry.files.items():
            path = self.blob_path(blob.sha256)
            problem = _problem(blob, path)
            if problem:
                wrong.append(f"{name} {problem}")
                _discard(path)
        if wrong:
            self.drop(entry.key, "; ".join(wrong))
        return wrong

    def _fill(self, entry: Entry, out: Path) -> str:
        """Take all files of an entry; return what is wrong with the first bad one."""
        for name, blob in entry.files.items():
            problem = self._take(blob, out / name)
            if problem:
                return f"{name} {problem}"
        return ""

    def _take(self, blob: Blob, target: Path) -> str:
        target.parent.mkdir(parents=True, exist_ok=True)
        path = self.blob_path(blob.sha256)
        problem = _misfit(blob, path)
        if not problem:
            with contextlib.suppress(FileNotFoundError):  # said below
                clone(path, target)
            problem = _problem(blob, target)
        if problem:
            _discard(path)
        return problem

    def _keep(self, source: Path, blob: Blob) -> None:
        path = self.blob_path(blob.sha256)
        with contextlib.suppress(OSError):
            status = path.stat()
            if status.st_size == blob.size_bytes:
                # A `collect` that runs now spares what is new. What is new already stays as it
                # is: its time is also that of results that link it, and a later time than their
                # job's would tell of a change.
                if time.time() - status.st_mtime > GRACE_S / 2:
                    os.utime(path)
                return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=SCRATCH) as scratch:
            part = Path(scratch) / path.name
            clone(source, part)
            fsync(part)
            part.replace(path)


def _problem(blob: Blob, path: Path) -> str:
    misfit = _misfit(blob, path)
    if misfit:
        return misfit
    try:
        return "" if sha256_file(path) == blob.sha256 else _OTHER
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _misfit(blob: Blob, path: Path) -> str:
    """Return why a file cannot be a blob, without opening it: that would wait for a pipe."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    return "" if status.st_size == blob.size_bytes else _OTHER


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def empty(folder: Path) -> None:
    """Remove all that is in a folder."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
