"""Python environments of virtual devices: built once from a lock file, then cached."""

import hashlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgeflow.console import say
from edgeflow.deploy.text import tail
from edgeflow.errors import MissingToolError

_MARKER = "edgeflow-complete"


def device_python(lock: str | None, store: Path) -> Path:
    """Return the interpreter of a virtual device: of its lock file, or edgeflow's own."""
    return Path(sys.executable) if lock is None else build(Path(lock), store)


def build(lock: Path, store: Path) -> Path:
    """Return the interpreter of the environment that `lock` pins, built if it is not cached.

    Raises:
        MissingToolError: the lock file is missing, or uv cannot install it.
    """
    folder = store.absolute() / "envs" / _key(lock)
    python = folder / "bin" / "python"
    if not (folder / _MARKER).exists():
        _build_once(lock, folder, python)
    return python


def _key(lock: Path) -> str:
    try:
        text = lock.read_bytes()
    except OSError as error:
        raise MissingToolError(
            f"the device's lock file {lock} cannot be read: {error.strerror}",
            hint="mend `environment` of the device in config.yaml",
        ) from error
    return hashlib.sha256(text + platform.python_version().encode()).hexdigest()


def _build_once(lock: Path, folder: Path, python: Path) -> None:
    from filelock import FileLock
    from uv import find_uv_bin

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / _MARKER).exists():
            return
        say(f"building the device environment of {lock} (once)")
        shutil.rmtree(folder, ignore_errors=True)  # what a killed build left
        uv, own = find_uv_bin(), sys.executable
        _uv([uv, "venv", "--quiet", "--python", own, str(folder)], lock)
        install = ("pip", "install", "--quiet", "--compile-bytecode")
        _uv([uv, *install, "--python", str(python), "--requirements", str(lock)], lock)
        (folder / _MARKER).touch()


def _uv(command: Sequence[str], lock: Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise MissingToolError(
            f"the device environment of {lock} cannot be built:\n{tail(done.stderr)}",
            hint=f"check the network and {lock}, then run the same command again",
        )
