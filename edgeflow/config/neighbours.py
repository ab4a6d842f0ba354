"""Paths that lead nowhere, with what lies beside them."""

from collections.abc import Iterator
from pathlib import Path

from edgeflow.config.finding import Finding, Keys, did_you_mean


def at_home(path: str) -> Path:
    """Return a path with `~` replaced, or as it is where that names nobody's home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_there(path: Path) -> bool:
    """Return whether a path leads to something that may be looked at."""
    try:
        return path.exists()
    except OSError:  # such as a name that is too long
        return False


def not_there(path: Path, keys: Keys) -> Iterator[Finding]:
    """Yield a finding if a path leads to nothing, or to nothing that may be looked at."""
    try:
        if path.exists():
            return
        siblings = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError as error:
        yield Finding(keys=keys, message=f"{str(path)!r} cannot be read: {error.strerror}")
        return
    hint = did_you_mean(path.name, siblings) if siblings else f"no folder {path.parent} with files"
    yield Finding(keys=keys, message=f"no file {str(path)!r}", hint=hint)
