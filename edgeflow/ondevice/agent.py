"""Agent: runs on the device, where it alone decides what becomes current.

Standard library only, Python 3.7 or newer, imports nothing of edgeflow. Every verb prints one
JSON object; a caller reads that and never infers the outcome from the exit code, because a
lost connection has one too. Exit codes: 0 done, 65 corrupt, 75 locked, 70 other.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import errno
import fcntl
import hashlib
import importlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Dict, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

Json = Dict[str, Any]

MANIFEST = "manifest.json"
MANIFEST_MAX_BYTES = 4 << 20
JOURNAL_MAX_BYTES = 4 << 20
BLOCK_BYTES = 1 << 20
# Directories, journal and audit log of one release; small beside any model.
SPARE_BYTES = 256 << 10
EXIT_CODES = {"corrupt": 65, "locked": 75}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SHA = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
UPLOADER = re.compile(r"[0-9a-f]{16}")
FORMS = {"tar": "", "tar.zst": ".zst"}
# Of what a link points at, in an answer: the caller bounds what it reads.
QUOTED_CHARACTERS = 200
# An upload of somebody else that has not grown for so long has ended.
STALE_S = 600.0
OTHERS = stat.S_IWGRP | stat.S_IWOTH
JOURNAL_FORMAT = 2
STATES = ("staged", "passed", "rejected")
# Zstandard came into the standard library with Python 3.14.
ZSTD_MODULES = ("compression.zstd", "zstandard")
ZSTD_PROGRAM = "zstd"


class Refused(Exception):
    """A verb's failure: `error` is its kind for programs, `detail` the reason for people."""

    def __init__(self, error: str, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.answer: Json = dict(facts, error=error, detail=detail)


def sha(text: str) -> str:
    """Return `text` if it is a hex SHA-256."""
    if not SHA.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a SHA-256: {text!r}")
    return text


def file_name(text: str) -> str:
    """Return `text` if it is a plain file name."""
    if not FILE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a file name: {text!r}")
    return text


def uploader(text: str) -> str:
    """Return `text` if it names an uploader."""
    if not UPLOADER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not an uploader: {text!r}")
    return text


def sha256(path: str) -> str:
    """Return the hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


def fsync(path: str) -> None:
    """Make a file, or a directory's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove(path: str) -> None:
    """Remove a file that may not be there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def is_folder(path: str) -> bool:
    """Tell whether a path is a folder and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return False
        raise


def discard(path: str) -> None:
    """Remove whatever is there, if anything; a link, not what it points at."""
    if not is_folder(path):
        remove(path)
        return
    open_to_owner(path)
    for root, folders, _ in os.walk(path):
        for name in folders:
            open_to_owner(os.path.join(root, name))
    shutil.rmtree(path)


def open_to_owner(path: str) -> None:
    """Let us change what is in a folder, which somebody perhaps has made read-only."""
    if is_folder(path):
        mode = stat.S_IMODE(os.lstat(path).st_mode)
        if ~mode & stat.S_IRWXU:
            os.chmod(path, mode | stat.S_IRWXU)


def read_plain(path: str, max_bytes: int) -> bytes:
    """Return a file's bytes; raise OSError if it is no plain file, or larger."""
    # Opening a named pipe would wait for a writer.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > max_bytes:
            raise OSError(errno.EINVAL, f"no plain file of at most {max_bytes} bytes", path)
        return file.read(max_bytes)


def set_aside(path: str) -> None:
    """Rename what does not belong there to a free name: it may be somebody's."""
    number = 1
    while os.path.lexists(f"{path}.found-{number}"):
        number += 1
    os.rename(path, f"{path}.found-{number}")


def make_folder(path: str) -> None:
    """Make a folder, or accept one that is linked; what else is there is set aside."""
    if os.path.lexists(path) and not os.path.isdir(path):
        set_aside(path)
    os.makedirs(path, exist_ok=True)


def write_json(path: str, value: Json) -> None:
    """Replace a file by JSON in one step that survives a power cut."""
    temporary = path + ".tmp"
    try:
        with open(temporary, "w") as file:
            json.dump(value, file, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    fsync(os.path.dirname(path))


def free(path: str) -> Json:
    """Return free bytes and inodes where `path` is, or will be."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    usage = os.statvfs(path)
    # File systems without a fixed number of inodes report none at all.
    inodes = usage.f_favail if usage.f_files else None
    return {"free_bytes": usage.f_bavail * usage.f_frsize, "free_inodes": inodes}


def require_space(path: str, need_bytes: int, need_inodes: int) -> None:
    """Refuse early, with both figures, what would not fit."""
    have = free(path)
    if have["free_bytes"] < need_bytes:
        detail = "need {} bytes, have {}".format(need_bytes, have["free_bytes"])
        raise Refused("no space", detail, need_bytes=need_bytes, **have)
    if have["free_inodes"] is not None and have["free_inodes"] < need_inodes:
        detail = "need {} inodes, have {}".format(need_inodes, have["free_inodes"])
        raise Refused("no space", detail, need_bytes=need_bytes, **have)


@contextlib.contextmanager
def locked(folder: str, owner: str) -> Iterator[None]:
    """Hold the folder's lock; refuse at once if another process has it."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "lock")
    if os.path.lexists(path) and not os.path.isfile(path):
        set_aside(path)
    with open(path, "a+", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Refused("locked", "held by {}".format(file.read() or "?")) from None
        file.truncate(0)
        file.write(f"{owner} (pid {os.getpid()})")
        file.flush()
        yield


class Model:
    """The folder of one model: incoming, releases, current, journal, audit log.

    The journal has an entry for each release: the SHA-256 of its `manifest`, the `number` of its
    installation, its `state`, and the `previous` release, which was current before it. It is
    written before `current` is switched, and never says which release that is: the link does. So
    a kill between the two leaves a journal that is true of the old release and of the new one.
    """

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.releases = os.path.join(self.folder, "releases")
        self.incoming = os.path.join(self.folder, "incoming")
        self.link = os.path.join(self.folder, "current")
        self.link_new = os.path.join(self.folder, ".current.tmp")
        self.journal_path = os.path.join(self.folder, "journal.json")

    def release(self, name: str) -> str:
        """Return the folder of a release."""
        return os.path.join(self.releases, name)

    def scratch(self, name: str) -> str:
        """Return a path beside the releases that the next verb clears if this one is killed."""
        return os.path.join(self.releases, ".tmp-" + name)

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

    def journal(self) -> Json:
        """Return the journal, or what can be known without it."""
        stored = self.stored_journal()
        return cast("Json", stored) if sound(stored) else self.rebuilt(stored)

    def stored_journal(self) -> Any:
        """Return what the journal's file holds; None if that is no JSON."""
        try:
            return json.loads(read_plain(self.journal_path, JOURNAL_MAX_BYTES).decode("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None

    def rebuilt(self, stored: Any) -> Json:
        """Return a journal of the releases that agree with their own manifests.

        Args:
            stored: what the file holds. The first format named one previous release.
        """
        releases: Json = {}
        current = self.current()
        previous = str(stored.get("previous")) if isinstance(stored, dict) else None
        for name in self.installed({"releases": {}}):
            with contextlib.suppress(Refused):
                releases[name] = {
                    "manifest": self.manifest_digest(name),
                    "number": len(releases),
                    "previous": None,
                    "state": "passed" if name in (current, previous) else "staged",
                }
        if current in releases and previous in releases and current != previous:
            releases[current]["previous"] = previous
        return {"format": JOURNAL_FORMAT, "releases": releases}

    def installed(self, journal: Json) -> list[str]:
        """Return the releases on the device, the oldest first."""
        if not os.path.isdir(self.releases):
            return []
        entries = journal["releases"]

        def age(name: str) -> tuple[int, float, str]:
            number = entries[name]["number"] if name in entries else -1
            return number, os.lstat(self.release(name)).st_mtime, name

        names = [name for name in os.listdir(self.releases) if SHA.fullmatch(name)]
        return sorted((name for name in names if is_folder(self.release(name))), key=age)

    def fallback(self, name: str | None, journal: Json, *, whole: bool = True) -> str | None:
        """Return the nearest release before `name` that passed and is there.

        Args:
            whole: whether it must also be what was installed, byte by byte.
        """
        seen, entries = {name}, journal["releases"]
        while name in entries:
            name = entries[name]["previous"]
            if name in seen:
                break
            seen.add(name)
            passed = name in entries and entries[name]["state"] == "passed"
            if name and passed and (self.whole(name) if whole else is_folder(self.release(name))):
                return name
        return None

    def audit(self, verb: str, **facts: Any) -> None:
        """Append one line to the audit log."""
        now = datetime.datetime.now(datetime.timezone.utc)
        line = json.dumps(
            dict(facts, verb=verb, time=now.isoformat(timespec="seconds")), sort_keys=True
        )
        path = os.path.join(self.folder, "audit.log")
        # The log is for people: what was done stays done if a full disk takes no more of it.
        with contextlib.suppress(OSError), open(path, "ab+") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            torn = file.read() not in (b"", b"\n")  # a power cut left half a line
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def verify(self, name: str) -> None:
        """Refuse a release that is not, byte by byte, what was installed."""
        digest = self.manifest_digest(name)
        if digest != self.journal()["releases"].get(name, {}).get("manifest"):
            raise Refused("corrupt", f"{MANIFEST} of release {name} was changed")

    def whole(self, name: str) -> bool:
        """Tell whether a release is, byte by byte, what was installed."""
        with contextlib.suppress(Refused):
            self.verify(name)
            return True
        return False

    def manifest_digest(self, name: str) -> str:
        """Return the digest of a release's manifest; refuse files that are not as it says."""
        folder = self.release(name)
        if not is_folder(folder):
            raise Refused("corrupt", f"release {name} is not on the device")
        path = os.path.join(folder, MANIFEST)
        if not os.path.isfile(path) or os.path.islink(path):
            raise Refused("corrupt", f"{MANIFEST} of release {name} is missing or was changed")
        try:
            manifest = read_plain(path, MANIFEST_MAX_BYTES)
            verify_files(folder, listed_files(manifest))
        except OSError as error:  # a bad block, or a file that we may not read
            raise Refused("corrupt", f"release {name} cannot be read: {error}") from error
        return hashlib.sha256(manifest).hexdigest()

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

    def repair(self) -> None:
        """Bring what a kill, a fault or a hand left into a known state; the lock is held."""
        make_folder(self.releases)
        self.discard_leftovers()
        for folder in (self.folder, self.releases, self.incoming):
            with contextlib.suppress(OSError):  # it is somebody else's, or not there
                close_to(folder, stat.S_IWOTH)
        stored = self.stored_journal()
        journal = self.journal()
        if not sound(stored) and (journal["releases"] or os.path.lexists(self.journal_path)):
            if is_folder(self.journal_path):
                set_aside(self.journal_path)
            write_json(self.journal_path, journal)
            self.audit("repair", fault="the journal is missing or damaged")
        fault = self.fault()
        if fault is not None:
            to = self.fallback(self.pointed(), journal)
            self.switch(to)
            self.audit("repair", fault=fault, to=to)

    def discard_leftovers(self) -> None:
        """Remove what a killed verb left; the lock says that none is running."""
        discard(self.journal_path + ".tmp")
        discard(self.link_new)
        for folder in (self.releases, self.incoming):
            for entry in os.listdir(folder) if is_folder(folder) else ():
                if entry.startswith(".tmp-"):
                    discard(os.path.join(folder, entry))

    def superfluous(self, journal: Json, keep: int, wanted: str | None) -> list[str]:
        """Return the releases that may go: see `prune`.

        Args:
            wanted: the release that room is made for; what was rejected before it can go.
        """
        current, installed = self.current(), self.installed(journal)
        stay = {current, self.fallback(current, journal), wanted}
        limits = {"passed": keep, "staged": 1, "rejected": 0 if wanted else 1}
        for state, limit in limits.items():
            names = [name for name in installed if state_of(name, journal) == state]
            stay.update(names[max(0, len(names) - limit) :])
        return [name for name in installed if name not in stay]

    def prune(self, keep: int, wanted: str | None = None) -> list[str]:
        """Remove releases that may go, each in one step; return their names."""
        journal = self.journal()
        entries = journal["releases"]
        removed = self.superfluous(journal, keep, wanted)
        for name in removed:
            os.rename(self.release(name), self.scratch("pruned-" + name))
            before = entries.pop(name, {"previous": None})["previous"]
            for other, entry in entries.items():
                if entry["previous"] == name:
                    entry["previous"] = before if before != other else None
        if removed:
            write_json(self.journal_path, journal)
            self.audit("prune", removed=removed)
        for name in removed:
            discard(self.scratch("pruned-" + name))
        return removed


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
    return bool(SHA.fullmatch(entry["manifest"]) and counted and known) and entry["state"] in STATES


def state_of(name: str, journal: Json) -> str:
    """Return a release's state; one that the journal does not know is not judged yet."""
    return str(journal["releases"].get(name, {"state": "staged"})["state"])


def close_to(path: str, writers: int) -> None:
    """Take the right to write from others; a lax umask perhaps gave it."""
    mode = stat.S_IMODE(os.lstat(path).st_mode)
    if mode & writers:
        os.chmod(path, mode & ~writers)


def upload_name(name: str, uploader: str | None, form: str) -> str:
    """Return the name of an upload's file; each uploader has its own."""
    owner = f".{uploader}" if uploader else ""
    return f"{name}{owner}{FORMS[form]}.part"


def discard_uploads(folder: str, uploader: str | None, keep: str | None = None) -> None:
    """Remove uploads that nobody continues: this uploader's own, and those that stand still."""
    for entry in os.listdir(folder) if is_folder(folder) else ():
        path = os.path.join(folder, entry)
        with contextlib.suppress(FileNotFoundError):
            own = uploader is not None and f".{uploader}." in entry
            # The clock may have been set since: an upload from the future stands still too.
            stale = abs(time.time() - os.lstat(path).st_mtime) > STALE_S
            if entry.endswith(".part") and entry != keep and (own or stale):
                discard(path)


def received_bytes(path: str) -> int:
    """Return how much of an upload is there."""
    return os.path.getsize(path) if os.path.isfile(path) else 0


def listed_files(manifest: bytes) -> Json:
    """Return the manifest's files, or refuse a manifest that lists none or unsafe names."""
    try:
        files = json.loads(manifest.decode("utf-8"))["files"]
        bad = [name for name, entry in files.items() if not safe(name, entry)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("corrupt", f"{MANIFEST} is unusable: {error!r}") from error
    bad = bad or sorted(folders_of(files) & {MANIFEST, *files})
    if bad:
        raise Refused("corrupt", f"{MANIFEST} lists an unsafe file: {bad[0]!r}")
    result: Json = files
    return result


def safe(name: str, entry: Json) -> bool:
    """Tell whether a listed file stays inside the release and is fully described."""
    parts = name.split("/")
    inside = all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    size = entry["size_bytes"]
    described = SHA.fullmatch(entry["sha256"]) and isinstance(size, int) and size >= 0
    return bool(inside and described and name != MANIFEST)


def folders_of(files: Json) -> set[str]:
    """Return the folders that listed files lie in."""
    parts = [name.split("/") for name in files]
    return {"/".join(path[:depth]) for path in parts for depth in range(1, len(path))}


def entries_of(folder: str) -> dict[str, int]:
    """Return the mode of all that is in a folder, by relative path; no link is followed."""
    found = {}
    for root, folders, names in os.walk(folder):
        for name in folders + names:
            path = os.path.join(root, name)
            found[os.path.relpath(path, folder)] = os.lstat(path).st_mode
    return found


def verify_files(folder: str, files: Json) -> None:
    """Refuse a folder that does not hold exactly the listed files, closed to other accounts."""
    found, folders = dict(entries_of(folder), **{".": os.lstat(folder).st_mode}), folders_of(files)
    expected = {".", MANIFEST, *folders, *files}
    extra = set(found) - expected
    if extra:
        raise Refused("corrupt", f"not in the manifest: {min(extra)}")
    for name in sorted(expected):
        mode = found.get(name, 0)
        if not (stat.S_ISDIR(mode) if name in folders | {"."} else stat.S_ISREG(mode)):
            raise Refused("corrupt", f"{name} is missing or was changed")
        if mode & (OTHERS):
            raise Refused("corrupt", f"{name} is writable by other accounts")
    for name, entry in sorted(files.items()):
        if sha256(os.path.join(folder, name)) != entry["sha256"]:
            raise Refused("corrupt", f"{name} is missing or was changed")


def plain(member: tarfile.TarInfo) -> bool:
    """Tell whether a member is an ordinary file: no link, device, folder or sparse file."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.sparse


def read_manifest(archive: tarfile.TarFile) -> bytes:
    """Return the first member, which must be the manifest."""
    member = archive.next()
    if member is None or member.name != MANIFEST or not plain(member):
        raise Refused("corrupt", f"the first member is not {MANIFEST}")
    if member.size > MANIFEST_MAX_BYTES:
        raise Refused("corrupt", f"{MANIFEST} is too large")
    return content(archive, member).read()


def content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Return a plain member's bytes as a file."""
    source = archive.extractfile(member)
    if source is None:
        raise Refused("corrupt", f"{member.name} has no content")
    return source


def zstd() -> str | None:
    """Return what unpacks Zstandard here, a module or a program; None if nothing does."""
    for module in ZSTD_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
            return module
    return ZSTD_PROGRAM if shutil.which(ZSTD_PROGRAM) else None


def unpacked(path: str) -> Generator[bytes, None, None]:
    """Yield the content of a packed file in blocks."""
    unpacker = zstd()
    if unpacker is None:
        raise Refused("failed", "nothing on the device unpacks Zstandard")
    yield from by_program(path) if unpacker == ZSTD_PROGRAM else by_module(path, unpacker)


def by_module(path: str, name: str) -> Generator[bytes, None, None]:
    """Unpack by a Python module."""
    module = importlib.import_module(name)
    try:
        with module.open(path, "rb") as source:
            yield from iter(partial(source.read, BLOCK_BYTES), b"")
    except (module.ZstdError, EOFError) as error:
        raise Refused("corrupt", f"the packed upload is damaged: {error}") from error


def by_program(path: str) -> Generator[bytes, None, None]:
    """Unpack by the program; where the reader stops early, a broken pipe ends it."""
    command = [ZSTD_PROGRAM, "--decompress", "--stdout", "--quiet", path]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe) as program:
        output, errors = cast("IO[bytes]", program.stdout), cast("IO[bytes]", program.stderr)
        yield from iter(partial(output.read, BLOCK_BYTES), b"")
        said = errors.read().decode("utf-8", "replace").strip()
    if program.returncode != 0:
        raise Refused("corrupt", f"the packed upload is damaged: {said}")


def unpack_upload(packed: str, part: str, size_bytes: int) -> None:
    """Turn a packed upload into the tar it was made from, of `size_bytes` and never more."""
    written = 0
    require_space(os.path.dirname(part), size_bytes + SPARE_BYTES, 1)
    with open(part, "wb") as file, contextlib.closing(unpacked(packed)) as blocks:
        for block in blocks:
            written += len(block)
            if written > size_bytes:
                raise Refused("corrupt", f"the upload unpacks to more than {size_bytes} bytes")
            file.write(block)
    remove(packed)


def unpack(part: str, folder: str) -> bytes:
    """Write exactly the listed members into `folder`; return the manifest's bytes."""
    with tarfile.open(part, "r:") as archive:
        manifest = read_manifest(archive)
        files = listed_files(manifest)
        total = sum(entry["size_bytes"] for entry in files.values())
        require_space(folder, total + SPARE_BYTES, len(files) + 10)
        write_file(os.path.join(folder, MANIFEST), iter([manifest]))
        missing = set(files)
        for member in iter(archive.next, None):
            if member.name not in missing or not plain(member):
                raise Refused("corrupt", f"unexpected member: {member.name!r}")
            if member.size != files[member.name]["size_bytes"]:
                raise Refused("corrupt", f"{member.name} has not the size listed")
            missing.discard(member.name)
            path = os.path.join(folder, member.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            source = content(archive, member)
            write_file(path, iter(partial(source.read, BLOCK_BYTES), b""))
    if missing:
        raise Refused("corrupt", f"missing member: {min(missing)}")
    return manifest


def write_file(path: str, blocks: Iterator[bytes]) -> None:
    """Write a new read-only file and bring it to the disk."""
    with open(path, "xb") as file:
        file.writelines(blocks)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())


def sync_folders(folder: str) -> None:
    """Bring the entries of a folder and of all below it to the disk."""
    for root, _, _ in os.walk(folder):
        fsync(root)


def status(options: argparse.Namespace) -> Json:
    """Describe the device and what one model's folder holds."""
    model = Model(options.model_dir)
    journal, current = model.journal(), model.current()
    installed = model.installed(journal)
    return dict(
        free(model.folder),
        agent_sha256=sha256(os.path.abspath(__file__)),
        python=platform.python_version(),
        machine=platform.machine(),
        current=current,
        fault=model.fault(),
        previous=model.fallback(current, journal, whole=False),
        rejected=[name for name in installed if state_of(name, journal) == "rejected"],
        releases=installed,
        zstd=zstd(),
    )


def verify(options: argparse.Namespace) -> Json:
    """Hash a release again, the current one by default."""
    model = Model(options.model_dir)
    name, fault = options.sha or model.current(), model.fault()
    if name is None and fault is not None:
        raise Refused("corrupt", fault)
    if name is None:
        raise Refused("absent", "no release is current")
    model.verify(name)
    return {"verified": name}


def prepare(options: argparse.Namespace) -> Json:
    """Get ready for an upload: repair, make room, say how much of it is there already."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "prepare"):
        model.repair()
        make_folder(model.incoming)
        part = upload_name(name, options.uploader, options.form)
        intact = model.whole(name)
        discard_uploads(model.incoming, options.uploader, None if intact else part)
        if not intact:
            model.prune(options.keep, wanted=name)
        if not intact and free(model.folder)["free_bytes"] < options.need_bytes:
            model.prune(0, wanted=name)
    have = received_bytes(os.path.join(model.incoming, part))
    return dict(free(model.folder), intact=intact, part=part, received_bytes=have)


def install(options: argparse.Namespace) -> Json:
    """Turn an uploaded bundle into a release, all of it or nothing."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "install"):
        model.repair()
        uploads = {
            form: os.path.join(model.incoming, upload_name(name, options.uploader, form))
            for form in FORMS
        }
        try:
            if model.whole(name):
                return {"installed": name, "changed": False}
            install_upload(model, name, uploads, options.packed_from)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Refused("corrupt", f"not a readable tar: {error}") from error
        finally:
            model.discard_leftovers()
            for path in uploads.values():
                remove(path)
        model.audit("install", sha=name)
    return {"installed": name, "changed": True}


def install_upload(model: Model, name: str, uploads: dict[str, str], size: int | None) -> None:
    """Install from the upload's tar, or from its packed form if `size` in bytes is given."""
    form, part = "tar" if size is None else "tar.zst", uploads["tar"]
    if not os.path.isfile(uploads[form]):
        raise Refused("absent", f"{name} was not uploaded")
    if size is not None:
        part = os.path.join(model.incoming, f".tmp-{name}.tar")
        unpack_upload(uploads[form], part, size)
    unpack_release(model, name, part)


def unpack_release(model: Model, name: str, part: str) -> None:
    """Unpack a tar beside the releases, verify it, and move it into place."""
    scratch = model.scratch(name)
    if sha256(part) != name:
        raise Refused("corrupt", f"the upload is not {name}")
    os.mkdir(scratch)
    manifest = unpack(part, scratch)
    files = listed_files(manifest)
    verify_files(scratch, files)
    sync_folders(scratch)
    journal = model.journal()
    entries = journal["releases"]
    number = 1 + max((entry["number"] for entry in entries.values()), default=-1)
    new = {"number": number, "previous": None, "state": "staged"}
    entries[name] = dict(entries.get(name, new), manifest=hashlib.sha256(manifest).hexdigest())
    write_json(model.journal_path, journal)
    if is_folder(model.release(name)):  # it is there, but verify refused it
        replace_files(scratch, model.release(name), files)
    else:
        remove(model.release(name))
        os.rename(scratch, model.release(name))
    fsync(model.releases)


def replace_files(scratch: str, release: str, files: Json) -> None:
    """Replace a damaged release file by file: it may be in use, and is never away."""
    open_to_owner(release)
    close_to(release, OTHERS)
    folders, wanted = folders_of(files), {MANIFEST, *files}
    for name in sorted(folders):
        path = os.path.join(release, name)
        if not is_folder(path):
            discard(path)
            os.mkdir(path)
        open_to_owner(path)
        close_to(path, OTHERS)
    for name in sorted(wanted):
        path = os.path.join(release, name)
        if is_folder(path):
            discard(path)
        os.replace(os.path.join(scratch, name), path)
    for name in sorted(set(entries_of(release)) - wanted - folders):
        discard(os.path.join(release, name))
    sync_folders(release)


def activate(options: argparse.Namespace) -> Json:
    """Make a release current that has passed, and note what was current before."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "activate"):
        model.repair()
        model.verify(name)
        old, journal = model.current(), model.journal()
        entry = journal["releases"][name]
        wanted = dict(entry, state="passed", previous=entry["previous"] if old == name else old)
        if wanted != entry:
            journal["releases"][name] = wanted
            write_json(model.journal_path, journal)
        if old != name:
            model.switch(name)
            model.audit("activate", sha=name, previous=old)
    return {
        "changed": old != name,
        "current": model.current(),
        "previous": wanted["previous"],
    }


def rollback(options: argparse.Namespace) -> Json:
    """Reject a release; if it is in use, go back to the one before it, or to none."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "rollback"):
        model.repair()
        journal, rolled_back = model.journal(), model.current() == name
        entry = journal["releases"].get(name)
        rejected = entry is not None and entry["state"] != "rejected"
        if rejected:
            entry["state"] = "rejected"
            write_json(model.journal_path, journal)
        to = model.fallback(name, journal) if rolled_back else model.current()
        if rolled_back:
            model.switch(to)
        if rejected or rolled_back:
            verb = "rollback" if rolled_back else "reject"
            model.audit(verb, sha=name, to=to, reason=options.reason)
    return {"current": model.current(), "rolled_back": rolled_back}


def prune(options: argparse.Namespace) -> Json:
    """Remove uploads that stand still, and releases beyond those worth keeping.

    What stays: current and previous, the newest `keep` that passed, and the newest one each of
    those not judged yet and those rejected, so that failures never push out what works.
    """
    model = Model(options.model_dir)
    with locked(model.folder, "prune"):
        model.repair()
        removed = model.prune(options.keep)
        discard_uploads(model.incoming, None)
    return {"removed": removed}


def models(options: argparse.Namespace) -> Json:
    """List the models on the device: what of each is in use, and how many bytes it takes."""
    root, found = os.path.abspath(options.root_dir), []
    for name in sorted(os.listdir(root)) if is_folder(root) else ():
        model = Model(os.path.join(root, name))
        if is_folder(model.releases):
            size = size_bytes(model.folder)
            found.append({"name": name, "current": model.current(), "size_bytes": size})
    return {"models": found}


def size_bytes(folder: str) -> int:
    """Return the bytes of all files below a folder."""
    paths = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    return sum(os.lstat(path).st_size for path in paths)


def forget(options: argparse.Namespace) -> Json:
    """Remove a model with all its releases: what is in use first, the releases last."""
    model = Model(options.model_dir)
    if not is_folder(model.releases):
        raise Refused("absent", f"there is no model in {model.folder}")
    with locked(model.folder, "forget"):
        model.switch(None)
        # If this is killed, the releases still show the model, and the next run goes on.
        for entry in sorted(os.listdir(model.folder), key="releases".__eq__):
            if entry != "lock":
                discard(os.path.join(model.folder, entry))
    shutil.rmtree(model.folder)
    fsync(os.path.dirname(model.folder))
    return {"removed": True}


def find_data(options: argparse.Namespace) -> Json:
    """Tell whether a data file is on the device, whole; if not, get ready for its upload."""
    folder = os.path.abspath(options.data_dir)
    path = os.path.join(folder, options.sha, options.name)
    stored = os.path.isfile(path) and sha256(path) == options.sha
    part = upload_name(options.sha, options.uploader, "tar")
    if not stored:
        os.makedirs(folder, exist_ok=True)
    with contextlib.suppress(OSError):
        close_to(folder, stat.S_IWOTH)
    discard_uploads(folder, options.uploader, None if stored else part)
    have = received_bytes(os.path.join(folder, part))
    return dict(free(folder), path=path, stored=stored, part=part, received_bytes=have)


def store_data(options: argparse.Namespace) -> Json:
    """Verify an uploaded data file and move it into place."""
    folder = os.path.abspath(options.data_dir)
    part = os.path.join(folder, upload_name(options.sha, options.uploader, "tar"))
    path = os.path.join(folder, options.sha, options.name)
    with locked(folder, "store-data"):
        if not os.path.isfile(part):
            raise Refused("absent", f"{options.sha} was not uploaded")
        if sha256(part) != options.sha:
            remove(part)
            raise Refused("corrupt", f"the upload is not {options.sha}")
        os.chmod(part, 0o444)
        fsync(part)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.replace(part, path)
        sync_folders(os.path.dirname(path))
        fsync(folder)
    return {"path": path, "stored": True}


ARGUMENTS: dict[str, Json] = {
    "model_dir": {},
    "data_dir": {},
    "root_dir": {},
    "sha": {"type": sha},
    "name": {"type": file_name},
    "keep": {"type": int},
    "--form": {"choices": sorted(FORMS), "default": "tar"},
    "--need-bytes": {"type": int, "default": 0},
    "--packed-from": {"type": int, "metavar": "BYTES"},
    "--reason": {"default": ""},
    "--uploader": {"type": uploader},
}
FOLDERS = ("model_dir", "data_dir", "root_dir")
VERBS = {
    status: ("model_dir",),
    verify: ("model_dir", "sha"),
    prepare: ("model_dir", "sha", "keep", "--form", "--need-bytes", "--uploader"),
    install: ("model_dir", "sha", "--packed-from", "--uploader"),
    activate: ("model_dir", "sha"),
    rollback: ("model_dir", "sha", "--reason"),
    prune: ("model_dir", "keep"),
    models: ("root_dir",),
    forget: ("model_dir",),
    find_data: ("data_dir", "sha", "name", "--uploader"),
    store_data: ("data_dir", "sha", "name", "--uploader"),
}


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    root = argparse.ArgumentParser(prog="agent", description=__doc__)
    verbs = root.add_subparsers(dest="verb")
    verbs.required = True
    for verb, arguments in VERBS.items():
        command = verbs.add_parser(verb.__name__.replace("_", "-"), help=verb.__doc__)
        command.set_defaults(run=verb)
        for argument in arguments:
            optional: Json = {"nargs": "?"} if (verb, argument) == (verify, "sha") else {}
            command.add_argument(argument, **ARGUMENTS[argument], **optional)
    return root


def answer(options: argparse.Namespace) -> Json:
    """Run a verb; a failure becomes an answer too."""
    try:
        result: Json = options.run(options)
        return result
    except Refused as refused:
        return refused.answer
    except OSError as error:
        given = vars(options)
        folder = os.path.abspath(next(given[key] for key in FOLDERS if key in given))
        kind = "no space" if error.errno in FULL else "failed"
        return dict(free(folder), error=kind, detail=str(error))
    except Exception as error:
        return {"error": "failed", "detail": f"{type(error).__name__}: {error}"}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and print its answer."""
    options = parser().parse_args(arguments)
    os.umask(os.umask(0) | OTHERS)
    result = answer(options)
    if "error" in result and options.verb in ("install", "activate", "rollback"):
        Model(options.model_dir).audit(options.verb, sha=options.sha, **result)
    # A file's name need not be text: what is none would make the whole answer unreadable.
    result = json.loads(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace"))
    print(json.dumps(result, sort_keys=True))
    return EXIT_CODES.get(result["error"], 70) if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main())
