"""Writes that are either whole or not there: temporary name, fsync, rename."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _fsync(path: Path) -> None:
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
    _fsync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by UTF-8 `text` in one step."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: object) -> None:
    """Replace `path` by readable JSON with sorted keys, in one step."""
    write_text(path, json.dumps(value, sort_keys=True, indent=2) + "\n")


@contextmanager
def staged(out: Path, last: str = "manifest.json") -> Iterator[Path]:
    """Yield a scratch folder whose entries move into `out` when the block succeeds.

    Entries of `out` with other names stay. `last` moves last, so a reader that finds it
    finds everything it speaks of. After an error `out` is as it was.
    """
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield scratch
        _publish(scratch, out, last)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: Path, out: Path, last: str) -> None:
    for path in scratch.rglob("*"):
        _fsync(path)
    (out / last).unlink(missing_ok=True)
    for entry in sorted(scratch.iterdir(), key=lambda path: (path.name == last, path.name)):
        target = out / entry.name
        if entry.is_dir() and target.exists():
            shutil.rmtree(target)
        entry.replace(target)
    _fsync(out)
