"""Files from outside, which others change at any time and with any time stamp.

Snakemake judges a file by its modification time, and misses what `rsync -a`, `cp -p`, `mv` or an
archive put in its place. So a source is judged here, by the digests of all its files. An index
saves reading them again: a file whose size, times and inode are as they were has the bytes that it
had. Only the kernel sets the time of the last change of an inode (ctime); no copy brings it along.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from edgeflow.artifact.atomic import write_bytes
from edgeflow.artifact.hashing import canonical_json, sha256_file, sha256_json, sha256_text
from edgeflow.console import say
from edgeflow.errors import DataError, IntegrityError

FOLDER = Path(".edgeflow/sources")
RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was looked at may change again within the same tick of
its file system's clock (2 s on FAT). It is read again next time; git's index does the same."""
MANY = 2000
"""Files that take long enough to read to say so."""

Find = Callable[[], Mapping[str, Path]]
Status = tuple[int, ...]


class Look(NamedTuple):  # ten thousands of them: a dataclass is slower to make
    """A file as it was once looked at; `sha256` is empty where it could not be read."""

    status: Status | None
    sha256: str
    settled: bool

    def holds(self, status: Status | None) -> bool:
        """Return whether a file with this status must have the same bytes still."""
        return self.settled and status == self.status


Looks = dict[str, Look]


def look(files: Mapping[str, Path], known: Mapping[str, Look]) -> Looks:
    """Return each file as it is now, by path; read are only those of another status than known."""
    paths = [str(path) for path in files.values()]
    began_ns = time.time_ns()
    found = {path: _status(path) for path in paths}
    old = {path: known[path] for path in paths if path in known and known[path].holds(found[path])}
    new = [path for path in paths if path not in old]
    if len(new) > MANY:
        say(f"reading {len(new)} files that are new or changed, of {len(paths)}")
    return {path: old.get(path) or _read(path, found[path], began_ns) for path in paths}


def digest(files: Mapping[str, Path], looks: Looks) -> str:
    """Return the digest over names and contents: paths and times do not count."""
    return sha256_json({name: looks[str(path)].sha256 for name, path in files.items()})


def planned_digest(step: str, name: str, find: Find) -> str:
    """Return the digest of a source for Snakemake, which plans by it; keeps the index.

    What cannot be read is left to the step itself, which says what is wrong with it.

    Args:
        step: that reads the source.
        name: of what the step makes.
        find: returns the files.
    """
    index = _index(step, name)
    known = _load(index)
    try:
        files = found(find)
    except DataError as error:
        return sha256_text(error.message)
    looks = look(files, known)
    settled = {path: one for path, one in looks.items() if one.settled}
    if settled != known:
        _save(index, settled)
    return digest(files, looks)


def found(find: Find) -> Mapping[str, Path]:
    """Return the files of a source.

    Raises:
        DataError: a folder cannot be read.
    """
    try:
        return find()
    except OSError as error:
        raise DataError(
            f"{error.filename} cannot be read: {error.strerror}", hint="check its permissions"
        ) from error


class Sources:
    """The files of a source while a step reads them: its key must speak of the bytes it read."""

    def __init__(self, step: str, name: str, find: Find, planned: str = "") -> None:
        """Read nothing yet.

        Args:
            step: that reads the source.
            name: of what the step makes.
            find: returns the files, by a name that is the same on every machine.
            planned: their digest when Snakemake planned the job; empty if nobody did.
        """
        self._step, self._name, self._find, self._planned = step, name, find, planned
        self._looks: Looks = {}

    def read(self) -> str:
        """Read all files and return their digest; nothing that an index says is believed.

        Raises:
            IntegrityError: they are not those that the job was planned for.
            DataError: a folder cannot be read.
        """
        files = found(self._find)
        self._looks = look(files, {})
        self._read = digest(files, self._looks)
        if self._planned not in ("", self._read):
            self._fail("since this job was planned")
        return self._read

    def check(self) -> None:
        """Look again after the step.

        Raises:
            IntegrityError: a file was changed, added or removed since `read`.
        """
        files = found(self._find)
        if digest(files, look(files, self._looks)) != self._read:
            self._fail("while it was read")

    def _fail(self, when: str) -> None:
        _index(self._step, self._name).unlink(missing_ok=True)  # in case it is what is wrong
        raise IntegrityError(
            f"{self._name}: the source of the step {self._step} changed {when}",
            hint="wait until nothing writes to it, then run `edgeflow run` again",
        )


def _status(path: str) -> Status | None:
    try:
        status = os.stat(path)  # noqa: PTH116  # ten thousands of them: no Path for each
    except OSError:
        return None
    times = status.st_mtime_ns, status.st_ctime_ns
    return (status.st_size, *times, status.st_ino, status.st_dev)


def _read(path: str, status: Status | None, began_ns: int) -> Look:
    try:
        sha256 = sha256_file(Path(path))
    except OSError:
        return Look(status, "", settled=False)
    return Look(status, sha256, settled=status is not None and status[2] < began_ns - RACY_NS)


def _index(step: str, name: str) -> Path:
    return FOLDER / step / f"{name}.json"


def _load(index: Path) -> Looks:
    """Return what an index says; nothing if it is missing or damaged."""
    try:
        seal, _, text = index.read_text().partition("\n")
        if seal != sha256_text(text):
            return {}
        entries = json.loads(text)
    except (OSError, ValueError):
        return {}
    return {
        path: Look((s, m, c, i, d), sha, True) for path, (s, m, c, i, d, sha) in entries.items()
    }


def _save(index: Path, looks: Looks) -> None:
    text = canonical_json({path: [*(one.status or ()), one.sha256] for path, one in looks.items()})
    try:
        write_bytes(index, f"{sha256_text(text)}\n{text}".encode())
    except OSError as error:  # slower next time, no more
        say(f"the index {index} cannot be written: {error}")
