"""Writes a new project: whole, or not at all, and over nothing that is there."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from edgeflow.errors import ConfigError, Problem, known
from edgeflow.project.draft import Draft, texts

PROJECT = "config.yaml"
KEPT = (".gitignore", "README.md", "profiles")
"""Files that a folder may have before it is a project; they stay as they are."""


def create(folder: Path, draft: Draft) -> list[str]:
    """Write a project's files into a folder, which need not exist; return what was written.

    Raises:
        ConfigError: one of them is there already, or the folder's name is none.
        StorageError: the folder cannot be written.
    """
    require_free(folder)
    files = texts(folder.absolute().name, draft)
    wanted = [*dict.fromkeys(Path(name).parts[0] for name in (*files, draft.brought) if name)]
    there = [name for name in wanted if (folder / name).exists() or (folder / name).is_symlink()]
    taken = [name for name in there if name not in KEPT]
    if taken:
        raise _taken(folder, taken)
    new = [name for name in wanted if name not in there]
    with _into(folder, new) as scratch:
        for name, text in files.items():
            if Path(name).parts[0] in new:
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                (scratch / name).write_text(text, encoding="utf-8")
        if draft.brought in new:
            draft.bring(scratch / draft.brought)
    return new


def require_free(folder: Path) -> None:
    """Refuse a folder that is a project already, or no folder: before its user is asked anything.

    Raises:
        ConfigError: it is.
    """
    if folder.exists() and not folder.is_dir():
        raise _taken(folder, [])
    if (folder / PROJECT).exists():
        raise _taken(folder, [PROJECT])


def _taken(folder: Path, names: Sequence[str]) -> ConfigError:
    message = f"there already: {', '.join(names)}" if names else "this is no folder"
    return ConfigError(
        [Problem(path=str(folder), message=message)],
        source="`edgeflow init`, which overwrites nothing",
        hint="name a folder without a project, or move these files away first",
    )


@contextmanager
def _into(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """Yield a scratch folder whose entries move into `folder`; after an error none is there."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".edgeflow-init-") as scratch:
            yield Path(scratch)
            _move(Path(scratch), folder, names)
    except OSError as error:
        _forget(made)
        problem = Problem(path=str(error.filename or folder), message=error.strerror or str(error))
        raise known(error) or ConfigError(
            [problem], source="`edgeflow init`", hint="name a folder that can be written"
        ) from error
    except BaseException:
        _forget(made)
        raise


def _move(scratch: Path, folder: Path, names: Sequence[str]) -> None:
    moved: list[Path] = []
    try:
        for name in names:  # config.yaml makes a project of it, and comes late
            (scratch / name).rename(folder / name)
            moved += [folder / name]
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def _forget(made: Sequence[Path]) -> None:
    for folder in made:
        with suppress(OSError):
            folder.rmdir()
