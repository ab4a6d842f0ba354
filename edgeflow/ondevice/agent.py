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
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Dict, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

Json = Dict[str, Any]

MANIFEST = "manifest.json"
MANIFEST_MAX_BYTES = 4 << 20
BLOCK_BYTES = 1 << 20
# Directories, journal and audit log of one release; small beside any model.
SPARE_BYTES = 256 << 10
EXIT_CODES = {"corrupt": 65, "locked": 75}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
SHA = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
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
    with open(os.path.join(folder, "lock"), "a+") as file:
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
    """The folder of one model: incoming, releases, current, journal, audit log."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.releases = os.path.join(self.folder, "releases")
        self.incoming = os.path.join(self.folder, "incoming")
        self.link = os.path.join(self.folder, "current")
        self.journal_path = os.path.join(self.folder, "journal.json")

    def release(self, name: str) -> str:
        """Return the folder of a release."""
        return os.path.join(self.releases, name)

    def part(self, name: str) -> str:
        """Return where a bundle is uploaded to."""
        return os.path.join(self.incoming, name + ".part")

    def packed(self, name: str) -> str:
        """Return where a packed bundle is uploaded to."""
        return os.path.join(self.incoming, name + ".zst.part")

    def discard_uploads(self, name: str) -> None:
        """Remove what was uploaded of a bundle, in either form."""
        remove(self.part(name))
        remove(self.packed(name))

    def current(self) -> str | None:
        """Return the SHA-256 of the release in use."""
        try:
            return os.path.basename(os.readlink(self.link))
        except FileNotFoundError:
            return None

    def journal(self) -> Json:
        """Return what to go back to, and the digest of each release's manifest."""
        try:
            with open(self.journal_path) as file:
                journal: Json = json.load(file)
        except FileNotFoundError:
            return {"previous": None, "manifests": {}}
        except ValueError as error:
            raise Refused("corrupt", f"{self.journal_path}: {error}") from error
        return journal

    def installed(self) -> list[str]:
        """Return the releases on the device, the oldest first."""
        if not os.path.isdir(self.releases):
            return []
        names = [name for name in os.listdir(self.releases) if SHA.fullmatch(name)]
        return sorted(names, key=lambda name: (os.stat(self.release(name)).st_mtime, name))

    def audit(self, verb: str, **facts: Any) -> None:
        """Append one line to the audit log."""
        now = datetime.datetime.now(datetime.timezone.utc)
        record = dict(facts, verb=verb, time=now.isoformat(timespec="seconds"))
        with open(os.path.join(self.folder, "audit.log"), "a") as file:
            file.write(json.dumps(record, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def verify(self, name: str) -> None:
        """Refuse a release that is not, byte by byte, what was installed."""
        folder = self.release(name)
        manifest = os.path.join(folder, MANIFEST)
        if not os.path.isfile(manifest):
            raise Refused("corrupt", f"release {name} is not on the device")
        if sha256(manifest) != self.journal()["manifests"].get(name):
            raise Refused("corrupt", f"{MANIFEST} of release {name} was changed")
        with open(manifest, "rb") as file:
            files = listed_files(file.read())
        verify_files(folder, files)

    def point_at(self, name: str) -> None:
        """Switch `current` in one step; a reader sees the old release or the new one."""
        temporary = os.path.join(self.folder, ".current.tmp")
        remove(temporary)
        os.symlink(os.path.join("releases", name), temporary)
        os.replace(temporary, self.link)
        fsync(self.folder)


def listed_files(manifest: bytes) -> Json:
    """Return the manifest's files, or refuse a manifest that lists none or unsafe names."""
    try:
        files = json.loads(manifest.decode("utf-8"))["files"]
        bad = [name for name, entry in files.items() if not safe(name, entry)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused("corrupt", f"{MANIFEST} is unusable: {error!r}") from error
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


def verify_files(folder: str, files: Json) -> None:
    """Refuse a folder whose files are not exactly those listed."""
    found = {
        os.path.relpath(os.path.join(root, name), folder)
        for root, _, names in os.walk(folder)
        for name in names
    }
    extra = found - set(files) - {MANIFEST}
    if extra:
        raise Refused("corrupt", f"not in the manifest: {min(extra)}")
    for name, entry in sorted(files.items()):
        path = os.path.join(folder, name)
        regular = name in found and stat.S_ISREG(os.lstat(path).st_mode)
        if not regular or sha256(path) != entry["sha256"]:
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


def unpack_upload(model: Model, name: str, size_bytes: int) -> None:
    """Turn a packed upload into the tar it was made from, of `size_bytes` and never more."""
    packed, part, written = model.packed(name), model.part(name), 0
    if not os.path.isfile(packed):
        raise Refused("absent", f"{name} was not uploaded")
    require_space(model.incoming, size_bytes + SPARE_BYTES, 1)
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
    return dict(
        free(model.folder),
        agent_sha256=sha256(os.path.abspath(__file__)),
        python=platform.python_version(),
        machine=platform.machine(),
        current=model.current(),
        previous=model.journal()["previous"],
        releases=model.installed(),
        zstd=zstd(),
    )


def verify(options: argparse.Namespace) -> Json:
    """Hash a release again, the current one by default."""
    model = Model(options.model_dir)
    name = options.sha or model.current()
    if name is None:
        raise Refused("absent", "no release is current")
    model.verify(name)
    return {"verified": name}


def install(options: argparse.Namespace) -> Json:
    """Turn an uploaded bundle into a release, all of it or nothing."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "install"):
        discard_leftovers(model)
        with contextlib.suppress(Refused):
            model.verify(name)
            model.discard_uploads(name)
            return {"installed": name, "changed": False}
        try:
            if options.packed_from is not None:
                unpack_upload(model, name, options.packed_from)
            unpack_release(model, name)
        except (tarfile.TarError, EOFError, ValueError) as error:
            raise Refused("corrupt", f"not a readable tar: {error}") from error
        finally:
            discard_leftovers(model)
            model.discard_uploads(name)
        model.audit("install", sha=name)
    return {"installed": name, "changed": True}


def discard_leftovers(model: Model) -> None:
    """Remove what a killed install left; the lock says that none is running."""
    os.makedirs(model.releases, exist_ok=True)
    for entry in os.listdir(model.releases):
        if entry.startswith(".tmp-"):
            shutil.rmtree(os.path.join(model.releases, entry))


def unpack_release(model: Model, name: str) -> None:
    """Unpack the upload beside the releases, verify it, and move it into place."""
    part, scratch = model.part(name), os.path.join(model.releases, ".tmp-" + name)
    if not os.path.isfile(part):
        raise Refused("absent", f"{name} was not uploaded")
    if sha256(part) != name:
        raise Refused("corrupt", f"the upload is not {name}")
    os.mkdir(scratch)
    manifest = unpack(part, scratch)
    verify_files(scratch, listed_files(manifest))
    sync_folders(scratch)
    journal = model.journal()
    journal["manifests"][name] = hashlib.sha256(manifest).hexdigest()
    write_json(model.journal_path, journal)
    if os.path.isdir(model.release(name)):  # it is there, but verify refused it
        os.rename(model.release(name), os.path.join(model.releases, ".tmp-old-" + name))
    os.rename(scratch, model.release(name))
    fsync(model.releases)


def activate(options: argparse.Namespace) -> Json:
    """Make a release current and note what was current before."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "activate"):
        model.verify(name)
        old, journal = model.current(), model.journal()
        if old != name:
            journal["previous"] = old
            write_json(model.journal_path, journal)
            model.point_at(name)
            model.audit("activate", sha=name, previous=old)
    return {"current": model.current(), "previous": journal["previous"]}


def rollback(options: argparse.Namespace) -> Json:
    """Take a release out of use: back to the one before it, or to none."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "rollback"):
        journal = model.journal()
        previous, rolled_back = journal["previous"], model.current() == name
        if rolled_back:
            if previous is None:
                os.unlink(model.link)
                fsync(model.folder)
            else:
                model.verify(previous)
                model.point_at(previous)
            journal["previous"] = None
            write_json(model.journal_path, journal)
            model.audit("rollback", sha=name, to=previous, reason=options.reason)
    return {"current": model.current(), "rolled_back": rolled_back}


def prune(options: argparse.Namespace) -> Json:
    """Remove stale uploads and all but the newest releases; current and previous stay."""
    model = Model(options.model_dir)
    with locked(model.folder, "prune"):
        journal, installed = model.journal(), model.installed()
        keep = {model.current(), journal["previous"], *installed[len(installed) - options.keep :]}
        removed = [name for name in installed if name not in keep]
        for name in removed:
            shutil.rmtree(model.release(name))
            journal["manifests"].pop(name, None)
        shutil.rmtree(model.incoming, ignore_errors=True)
        if removed:
            write_json(model.journal_path, journal)
            model.audit("prune", removed=removed)
    return {"removed": removed}


def find_data(options: argparse.Namespace) -> Json:
    """Tell whether a data file is on the device, whole."""
    path = os.path.join(os.path.abspath(options.data_dir), options.sha, options.name)
    stored = os.path.isfile(path) and sha256(path) == options.sha
    return dict(free(os.path.abspath(options.data_dir)), path=path, stored=stored)


def store_data(options: argparse.Namespace) -> Json:
    """Verify an uploaded data file and move it into place."""
    folder = os.path.abspath(options.data_dir)
    part = os.path.join(folder, options.sha + ".part")
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


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    root = argparse.ArgumentParser(prog="agent", description=__doc__)
    verbs = root.add_subparsers(dest="verb")
    verbs.required = True
    for verb in (status, verify, install, activate, rollback, prune):
        command = verbs.add_parser(verb.__name__, help=verb.__doc__)
        command.set_defaults(run=verb)
        command.add_argument("model_dir")
        if verb in (install, activate, rollback):
            command.add_argument("sha", type=sha)
        elif verb is verify:
            command.add_argument("sha", type=sha, nargs="?")
        elif verb is prune:
            command.add_argument("keep", type=int)
        if verb is rollback:
            command.add_argument("--reason", default="")
        elif verb is install:
            command.add_argument("--packed-from", type=int, metavar="BYTES")
    for verb in (find_data, store_data):
        command = verbs.add_parser(verb.__name__.replace("_", "-"), help=verb.__doc__)
        command.set_defaults(run=verb)
        command.add_argument("data_dir")
        command.add_argument("sha", type=sha)
        command.add_argument("name", type=file_name)
    return root


def answer(options: argparse.Namespace) -> Json:
    """Run a verb; a failure becomes an answer too."""
    try:
        result: Json = options.run(options)
        return result
    except Refused as refused:
        return refused.answer
    except OSError as error:
        folder = os.path.abspath(getattr(options, "model_dir", None) or options.data_dir)
        kind = "no space" if error.errno in FULL else "failed"
        return dict(free(folder), error=kind, detail=str(error))


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and print its answer."""
    options = parser().parse_args(arguments)
    result = answer(options)
    with contextlib.suppress(OSError):  # a full disk must not hide why the verb failed
        if "error" in result and options.verb in ("install", "activate", "rollback"):
            Model(options.model_dir).audit(options.verb, sha=options.sha, **result)
    print(json.dumps(result, sort_keys=True))
    return EXIT_CODES.get(result["error"], 70) if "error" in result else 0


if __name__ == "__main__":
    sys.exit(main())
