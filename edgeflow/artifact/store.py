"""The store: what a step made before, found again by all that could have changed it.

Layout below the store's folder::

    entries/<key[:2]>/<key>.json    which files an execution of a step made
    blobs/<sha[:2]>/<sha>           their bytes, read-only, shared by all entries

A key is the digest of a step's input bytes, options, tool versions and code. Entries appear
whole or not at all, and every byte is verified when it is taken out.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from edgeflow.artifact.atomic import fsync, write_json
from edgeflow.artifact.clone import clone
from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.manifest import FileRecord, describe_files
from edgeflow.console import say

VARIABLE = "EDGEFLOW_STORE"
"""Environment variable that names the store's folder; ``off`` turns it off."""
DEFAULT = "~/.cache/edgeflow/store"


class Entry(BaseModel):
    """What one execution of a step made.

    Attributes:
        key: digest of all that could change the files.
        step: the step that ran.
        name: what it was called when it was first made; for people.
        identity: what the key is the digest of; for `edgeflow explain`.
        files: path relative to the output folder to digest and size.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str
    step: str
    name: str
    identity: dict[str, object]
    files: dict[str, FileRecord]

    @property
    def size_bytes(self) -> int:
        """Sum of the sizes of its files."""
        return sum(record.size_bytes for record in self.files.values())


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of entries, safe to share between processes, checkouts and branches."""

    root: Path

    def entry_path(self, key: str) -> Path:
        """Return where the entry of a key is, or would be."""
        return self.root / "entries" / key[:2] / f"{key}.json"

    def blob_path(self, sha256: str) -> Path:
        """Return where the bytes with a digest are, or would be."""
        return self.root / "blobs" / sha256[:2] / sha256

    def entries(self) -> Iterator[Entry]:
        """Yield all readable entries, the longest unused first."""
        paths = sorted(self.root.glob("entries/*/*.json"), key=lambda path: path.stat().st_mtime)
        for path in paths:
            entry = self.find(path.stem)
            if entry is not None:
                yield entry

    def find(self, key: str) -> Entry | None:
        """Return the entry of a key, or None; its files are not looked at."""
        try:
            entry = Entry.model_validate(json.loads(self.entry_path(key).read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, ValidationError):
            self._drop(key, "its entry cannot be read")
            return None
        return entry if entry.key == key else None

    def fetch(self, key: str, out: Path) -> Entry | None:
        """Put the files of a key into the empty folder `out`; None if they are not all there.

        A corrupt entry is dropped, said so, and counts as not there.
        """
        entry = self.find(key)
        if entry is None:
            return None
        for name, record in entry.files.items():
            problem = self._take(record, out / name)
            if problem:
                self._drop(key, f"{name} {problem}")
                _empty(out)
                return None
        with contextlib.suppress(OSError):  # a read-only store is a good store
            os.utime(self.entry_path(key))
        return entry

    def put(self, entry: Entry, folder: Path) -> None:
        """Keep the files of `folder` under the entry's key.

        A store that cannot be written is said so and changes nothing: the caller has its files.
        """
        try:
            for name, record in entry.files.items():
                self._keep(folder / name, record)
            write_json(self.entry_path(entry.key), entry.model_dump(mode="json"))
        except OSError as error:
            say(f"the store {self.root} cannot keep {entry.name}: {error.strerror or error}")

    def problems(self, entry: Entry) -> list[str]:
        """Return what is wrong with an entry's files; nothing if it is whole."""
        return [
            f"{name} {problem}"
            for name, record in entry.files.items()
            if (problem := self._problem(record, self.blob_path(record.sha256)))
        ]

    def drop(self, key: str) -> None:
        """Forget an entry; its bytes stay until the next `collect`."""
        self.entry_path(key).unlink(missing_ok=True)

    def _problem(self, record: FileRecord, path: Path) -> str:
        try:
            if sha256_file(path) == record.sha256:
                return ""
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return "has other bytes than were stored"

    def _take(self, record: FileRecord, target: Path) -> str:
        """Clone a blob to `target` and verify it there; return what is wrong."""
        target.parent.mkdir(parents=True, exist_ok=True)
        blob = self.blob_path(record.sha256)
        try:
            clone(blob, target)
        except FileNotFoundError:
            return "is not in the store any more"
        problem = self._problem(record, target)
        if problem:
            blob.unlink(missing_ok=True)
        return problem

    def _keep(self, source: Path, record: FileRecord) -> None:
        blob = self.blob_path(record.sha256)
        if blob.exists():
            return
        blob.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=blob.parent, prefix=".part-") as scratch:
            part = Path(scratch) / blob.name
            clone(source, part)
            fsync(part)
            part.replace(blob)

    def _drop(self, key: str, why: str) -> None:
        say(f"the store drops {key[:12]}: {why}; it will be made again")
        with contextlib.suppress(OSError):
            self.drop(key)


def describe(key: str, step: str, name: str, identity: Mapping[str, object], out: Path) -> Entry:
    """Return the entry for a folder of outputs."""
    return Entry(key=key, step=step, name=name, identity=dict(identity), files=describe_files(out))


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def current_store() -> Store | None:
    """Return the store that this process' environment names, or None if it is off."""
    place = os.environ.get(VARIABLE, DEFAULT)
    return None if place == "off" else Store(Path(place).expanduser())
