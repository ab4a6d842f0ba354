"""Writes that are either whole or not there: temporary name, fsync, rename."""

import fcntl
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def fsync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step, and make it survive a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by UTF-8 `text` in one step."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Replace `path` by readable JSON with sorted keys, in one step."""
    write_text(path, json.dumps(value, sort_keys=True, indent=2, allow_nan=False) + "\n")


@contextmanager
def staged(out: Path, last: str = "manifest.json") -> Iterator[Path]:
    """Yield a scratch folder whose entries move into `out` when the block succeeds.

    Entries of `out` with other names stay. `last` moves last, so a reader that finds it
    finds everything it speaks of. After an error `out` is as it was.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with _scratch(out) as scratch:
        yield scratch
        _publish(scratch, out, last)


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Yield a locked scratch folder beside `out`; remove it, and those of killed processes."""
    with _locked(out.parent):
        for leftover in out.parent.glob(f".{glob.escape(out.name)}.*.part"):
            with suppress(OSError), _locked(leftover, fcntl.LOCK_NB):  # held: its owner is alive
                shutil.rmtree(leftover)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
        lock = _lock(scratch)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path, flags: int = 0) -> int:
    """Lock a folder until the returned descriptor is closed, or this process ends."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | flags)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(folder: Path, flags: int = 0) -> Iterator[None]:
    descriptor = _lock(folder, flags)
    try:
        yield
    finally:
        os.close(descriptor)


def _publish(scratch: Path, out: Path, last: str) -> None:
    for path in scratch.rglob("*"):
        fsync(path)
    out.mkdir(exist_ok=True)
    (out / last).unlink(missing_ok=True)
    for entry in sorted(scratch.iterdir(), key=lambda path: (path.name == last, path.name)):
        target = out / entry.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif entry.is_dir():
            target.unlink(missing_ok=True)
        entry.replace(target)
    fsync(out)
