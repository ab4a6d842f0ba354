"""Writes an export: whole, and over nothing but what an earlier export made."""

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from edgeflow.errors import ConfigError, Problem, known

RECORD = "edgeflow-export.json"
"""Says which files are an export's; written last."""


def write(
    out: Path, files: Mapping[str, str], record: Mapping[str, Any], *, force: bool = False
) -> None:
    """Write files and the record of them into a folder.

    Args:
        out: new or empty, unless `force`.
        files: text by path below it.
        record: what else to keep in the record.
        force: replace the files of an earlier export that nobody has edited; others stay.

    Raises:
        ConfigError: the folder is not empty, or files in the way are not an earlier export's.
        StorageError: it cannot be written.
    """
    digests = {name: _digest(text.encode()) for name, text in files.items()}
    text = json.dumps({**record, "files": digests}, indent=2, sort_keys=True) + "\n"
    with _failures(out):
        if not out.exists():
            _create(out, {**files, RECORD: text})
            return
        old = _earlier(out) if force else {}
        _require_free(out, digests, old, force=force)
        _replace(out, files, old.keys() - digests.keys(), text)


def _require_free(
    out: Path, new: Mapping[str, str], old: Mapping[str, str], *, force: bool
) -> None:
    if not force and any(out.iterdir()):
        raise _refused(
            out, ["is not empty"], "name a new folder, or replace an earlier export with --force"
        )
    foreign = [name for name in sorted({*new, *old}) if not _is_free(out, name, new, old)]
    if (out / RECORD).exists() and not old:
        foreign.append(RECORD)
    if foreign:
        whys = [f"{name} is not as an export made it" for name in foreign]
        raise _refused(out, whys, "move these files away, or name a new folder")


def _is_free(out: Path, name: str, new: Mapping[str, str], old: Mapping[str, str]) -> bool:
    """Return whether a file may be replaced: it is absent, or has bytes of an export's."""
    path = out / name
    if any(one.is_symlink() for one in (path, *path.parents[: len(PurePosixPath(name).parts) - 1])):
        return False
    if not path.exists():
        return all(one.is_dir() or not one.exists() for one in path.parents)
    return path.is_file() and _digest(path.read_bytes()) in {new.get(name), old.get(name)}


def _earlier(out: Path) -> dict[str, str]:
    """Return the digests of the files that an earlier export wrote here."""
    try:
        files = json.loads((out / RECORD).read_bytes())["files"]
        return {str(name): str(digest) for name, digest in files.items() if _is_below(name)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.name not in ("", RECORD)


def _create(out: Path, files: Mapping[str, str]) -> None:
    """Make the folder under another name first, so that it is there whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        _write(Path(scratch) / "made", files)
        (Path(scratch) / "made").rename(out)


def _replace(out: Path, files: Mapping[str, str], stale: Iterable[str], record: str) -> None:
    """Move the files into a folder that stays, which may be the current one."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".edgeflow-export-") as scratch:
        _write(Path(scratch), {**files, RECORD: record})
        for name in files:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / name).replace(out / name)
        for name in stale:
            (out / name).unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                (out / name).parent.rmdir()
        (Path(scratch) / RECORD).replace(out / RECORD)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


@contextmanager
def _failures(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = [error.strerror or str(error)]
        raise known(error) or _refused(out, why, "name a folder that can be written") from error


def _refused(out: Path, whys: list[str], hint: str) -> ConfigError:
    problems = [Problem(path=str(out), message=why) for why in whys]
    return ConfigError(problems, source="the folder to export to", hint=hint)
