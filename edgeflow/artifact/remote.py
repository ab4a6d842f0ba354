"""A store elsewhere, with the layout of the local one: a shared folder, SFTP, or S3.

Nobody waits for it: an answer that comes late, or is a failure, turns it off for this process
and, by a marker in the local store, for all others for a minute.
"""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from edgeflow.artifact.atomic import write_text
from edgeflow.artifact.clone import clone
from edgeflow.artifact.entry import LARGEST_BYTES, Blob, Entry, unseal
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.store import SCRATCH, Store, blob_name, empty, entry_name
from edgeflow.console import say
from edgeflow.text import without_secrets

CONTACT_S = 3.0
"""How long the remote store has for its first answer, and for any without many bytes."""
SLOWEST_BYTES_PER_S = 500_000
"""A remote store that moves fewer bytes than this is as good as down."""
PAUSE_S = 60.0
"""How long no process tries again after a failure."""

T = TypeVar("T")


class RemoteError(Exception):
    """The remote store did not answer in time, or with a failure."""


@dataclass(slots=True)
class Remote:
    """The same interface as the local store's, over fsspec.

    Attributes:
        url: where it is, for example ``s3://bucket/prefix``.
        push: whether to put what was built here.
        local: where files land first, and the marker that says it was down.
    """

    url: str
    push: bool
    local: Store
    _files: Any = field(default=None, init=False)
    _folder: str = field(default="", init=False)
    _off: bool = field(default=False, init=False)

    @property
    def shown(self) -> str:
        """The URL for messages."""
        return without_secrets(self.url)

    def fetch(self, key: str, out: Path) -> Entry | None:
        """Put the files of a key into the empty folder `out`; None if they are not all there.

        What differs from its digest is not used, said so, and removed if we may push.
        """
        if not self._is_on():
            return None
        try:
            self.local.root.mkdir(parents=True, exist_ok=True)
            # Not in `out`: an answer that comes too late must not show up in there.
            with tempfile.TemporaryDirectory(dir=self.local.root, prefix=SCRATCH) as landing:
                entry = self._pull(key, Path(landing))
                for name in entry.files if entry else ():
                    (out / name).parent.mkdir(parents=True, exist_ok=True)
                    clone(Path(landing, name), out / name)
                return entry
        except RemoteError as error:
            self._turn_off(str(error))
        except OSError as error:
            say(f"nothing can be taken from {self.shown}: {error.strerror or error}")
        empty(out)
        return None

    def put(self, entry: Entry, folder: Path) -> None:
        """Send the files of `folder`, then the entry that names them."""
        if not self.push or not self._is_on():
            return
        try:
            for name, blob in entry.files.items():
                self._send(folder / name, blob)
            self._write(entry_name(entry.key), entry.sealed().encode())
        except (RemoteError, FileNotFoundError) as error:  # a bucket may not be there
            self._turn_off(str(error))

    def _pull(self, key: str, folder: Path) -> Entry | None:
        try:
            path = self._path(entry_name(key))
            if not self._is_file(path, LARGEST_BYTES):
                self._discard(key, entry_name(key), "its entry is no file, or too large")
                return None
            text = self._ask(lambda: self._files.cat_file(path))
        except FileNotFoundError:
            return None
        try:
            entry = unseal(text, key)
        except ValueError as error:
            self._discard(key, entry_name(key), f"its entry {str(error).splitlines()[0]}")
            return None
        for name, blob in entry.files.items():
            problem = self._receive(blob, folder / name)
            if problem:
                self._discard(key, blob_name(blob.sha256), f"{name} {problem}")
                return None
        return entry

    def _receive(self, blob: Blob, target: Path) -> str:
        target.parent.mkdir(parents=True, exist_ok=True)
        path = self._path(blob_name(blob.sha256))
        try:
            if not self._is_file(path, blob.size_bytes):
                return "has other bytes than were stored"
            self._ask(lambda: self._files.get_file(path, str(target)), blob.size_bytes)
        except FileNotFoundError:
            return "is not there"
        return "" if sha256_file(target) == blob.sha256 else "has other bytes than were stored"

    def _is_file(self, path: str, limit_bytes: int) -> bool:
        found = self._ask(lambda: self._files.info(path))
        return bool(found["type"] == "file" and found["size"] <= limit_bytes)

    def _send(self, source: Path, blob: Blob) -> None:
        path = self._path(blob_name(blob.sha256))
        with contextlib.suppress(FileNotFoundError):
            # Not every remote writes atomically: a file of another size is a torn one.
            if self._ask(lambda: self._files.info(path))["size"] == blob.size_bytes:
                return
        self._make_folder(path)
        self._ask(lambda: self._files.put_file(str(source), path), blob.size_bytes)

    def _write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        self._make_folder(path)
        self._ask(lambda: self._files.pipe_file(path, data))

    def _make_folder(self, path: str) -> None:
        if not self.url.startswith("s3:"):  # a bucket has none, and would try to make itself
            parent = path.rpartition("/")[0]
            self._ask(lambda: self._files.makedirs(parent, exist_ok=True))

    def _discard(self, key: str, name: str, why: str) -> None:
        say(f"the remote store {self.shown} has a bad {key[:12]}: {why}; it will be made again")
        if self.push:
            with contextlib.suppress(FileNotFoundError):
                self._ask(lambda: self._files.rm_file(self._path(name)))

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _ask(self, question: Callable[[], T], size_bytes: int = 0) -> T:
        """Return the remote store's answer, or raise RemoteError if it takes too long."""
        return within(CONTACT_S + size_bytes / SLOWEST_BYTES_PER_S, question)

    def _is_on(self) -> bool:
        """Connect, unless it is known to be down."""
        if self._off or self._files is not None:
            return not self._off
        with contextlib.suppress(OSError):
            self._off = abs(time.time() - self._marker.stat().st_mtime) < PAUSE_S
        if not self._off:
            try:
                _require(self.url)
                self._files, self._folder = within(CONTACT_S, lambda: connect(self.url))
            except (ImportError, RemoteError, FileNotFoundError) as error:
                self._turn_off(str(error))
        return not self._off

    @property
    def _marker(self) -> Path:
        """The file that says, by its time of change, when this remote store was down."""
        return self.local.root / f"down-{sha256_json(self.url)[:12]}"

    def _turn_off(self, why: str) -> None:
        self._off = True
        say(f"the remote store {self.shown} is left out for {PAUSE_S:.0f} s: {why}")
        with contextlib.suppress(OSError):
            write_text(self._marker, f"{why}\n")


def _require(url: str) -> None:
    """Import what a URL needs: that takes its time, but is not the remote store's."""
    import fsspec

    fsspec.get_filesystem_class(url.partition(":")[0])


def connect(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path on it."""
    import fsspec

    options: dict[str, object] = {}
    if url.startswith("s3:"):
        options["config_kwargs"] = {"connect_timeout": CONTACT_S, "retries": {"max_attempts": 1}}
    elif url.startswith("sftp:"):
        from edgeflow.artifact.known_hosts import KnownHosts

        options = {"host_key_policy": KnownHosts(), "timeout": CONTACT_S}
    files, path = fsspec.url_to_fs(url, **options)
    # A share that is not mounted is an empty folder, or none: it must not be made here.
    if not url.startswith("s3:") and not files.isdir(path):
        raise FileNotFoundError(f"{path} is not a folder there; make it once, or mount it")
    return files, path.rstrip("/")


def within(limit_s: float, question: Callable[[], T]) -> T:
    """Return what `question` returns if it does so in time, whatever it hangs in.

    Raises:
        FileNotFoundError: it did.
        RemoteError: it took too long, or raised anything else.
    """
    answer: list[T] = []
    failure: list[Exception] = []

    def ask() -> None:
        try:
            answer.append(question())
        except Exception as error:  # a library may raise anything
            failure.append(error)

    # A daemon, so that a hung one does not keep the process from its end.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit_s)
    if answer:
        return answer[0]
    if failure and isinstance(failure[0], FileNotFoundError):
        raise failure[0]
    why = _one_line(failure[0]) if failure else f"no answer in {limit_s:.0f} s"
    raise RemoteError(why)


def _one_line(error: Exception) -> str:
    text = without_secrets(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
