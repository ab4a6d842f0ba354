"""Python environments of their own: built once from a lock file with uv, then cached."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import MissingToolError
from edgeflow.text import tail

FOLDER = "EDGEFLOW_TOOLCHAINS"
"""Environment variable that names the folder of all these environments."""
_DEFAULT = "~/.cache/edgeflow/toolchains"
_MARKER = "edgeflow-complete"


def folder() -> Path:
    """Return where all environments are cached."""
    return Path(os.environ.get(FOLDER) or _DEFAULT).expanduser()


def build(lock: Path, store: Path, *, title: str, hint: str) -> Path:
    """Return the interpreter of the environment that `lock` pins, built if it is not cached.

    Args:
        lock: requirements with hashes, as `uv pip compile` writes them.
        store: folder of all such environments.
        title: what it is for, for messages.
        hint: what to do where the lock is missing.

    Raises:
        MissingToolError: the lock is missing, or uv cannot install the lock.
    """
    try:
        text = lock.read_bytes()
    except OSError as error:
        raise MissingToolError(
            f"the lock file {lock} of {title} cannot be read: {error.strerror}", hint=hint
        ) from error
    key = hashlib.sha256(text + platform.python_version().encode()).hexdigest()
    folder = store.absolute() / key
    python = folder / "bin" / "python"
    if not (folder / _MARKER).exists():
        _build_once(lock, folder, python, title)
    return python


def _build_once(lock: Path, folder: Path, python: Path, title: str) -> None:
    from filelock import FileLock
    from uv import find_uv_bin

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / _MARKER).exists():
            return
        say(f"building the environment of {title} from {lock} (once)")
        shutil.rmtree(folder, ignore_errors=True)  # what a killed build left
        uv = find_uv_bin()
        _uv([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], lock, title)
        install = ("pip", "install", "--quiet", "--compile-bytecode", "--python", str(python))
        _uv([uv, *install, "--requirements", str(lock)], lock, title)
        (folder / _MARKER).touch()


def _uv(command: Sequence[str], lock: Path, title: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise MissingToolError(
            f"the environment of {title} cannot be built from {lock}:\n{tail(done.stderr)}",
            hint=f"check the network and {lock}, then run the same command again",
        )
