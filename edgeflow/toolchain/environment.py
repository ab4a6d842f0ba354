"""Python environments of their own: built once from a lock file with uv, then cached."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import MissingToolError
from edgeflow.output import run_logged
from edgeflow.text import tail
from edgeflow.toolchain.base import Environment, Identity

FOLDER = "EDGEFLOW_TOOLCHAINS"
"""Environment variable that names the folder of all these environments."""
_DEFAULT = "~/.cache/edgeflow/toolchains"
_MARKER = "edgeflow-complete"


def folder() -> Path:
    """Return where all environments are cached."""
    return Path(os.environ.get(FOLDER) or _DEFAULT).expanduser()


def python_of(environment: Environment, title: str) -> Path:
    """Return the interpreter of a target's environment, built if it is not cached.

    Raises:
        MissingToolError: as `build`.
    """
    return build(
        environment.lock,
        folder(),
        title=title,
        hint="reinstall the package that provides the target",
        version=environment.python,
    )


def locked(environment: Environment | None) -> Identity:
    """Return what an environment is, as far as another one would be another tool.

    Raises:
        MissingToolError: its lock is missing.
    """
    if environment is None:
        return {}
    if not environment.lock.is_file():
        raise MissingToolError(
            f"the lock file {environment.lock} is missing",
            hint="reinstall the package that provides the target",
        )
    name, digest = environment.lock.name, hashlib.sha256(environment.lock.read_bytes())
    return {f"Python of {name}": environment.python, name: digest.hexdigest()}


def is_built(environment: Environment) -> bool:
    """Return whether an environment is in the cache.

    Raises:
        OSError: its lock cannot be read.
    """
    text = environment.lock.read_bytes()
    return (folder() / _key(text, environment.python) / _MARKER).exists()


def build(lock: Path, store: Path, *, title: str, hint: str, version: str | None = None) -> Path:
    """Return the interpreter of the environment that `lock` pins, built if it is not cached.

    Args:
        lock: requirements with hashes, as `uv pip compile` writes them.
        store: folder of all such environments.
        title: what it is for, for messages.
        hint: what to do where the lock is missing.
        version: of Python, such as ``3.9``; by default that of edgeflow itself.

    Raises:
        MissingToolError: lock or interpreter is missing, or uv cannot install the lock.
    """
    try:
        text = lock.read_bytes()
    except OSError as error:
        raise MissingToolError(
            f"the lock file {lock} of {title} cannot be read: {error.strerror}", hint=hint
        ) from error
    folder = store.absolute() / _key(text, version)
    python = folder / "bin" / "python"
    if not (folder / _MARKER).exists():
        base = find_python(version) if version else Path(sys.executable)
        _build_once(lock, folder, base, title)
    return python


def _key(lock: bytes, version: str | None) -> str:
    return hashlib.sha256(lock + (version or platform.python_version()).encode()).hexdigest()


def find_python(version: str) -> Path:
    """Return an interpreter of a version such as ``3.9``.

    Raises:
        MissingToolError: there is none.
    """
    for candidate in _candidates(version):
        if _version_of(candidate) == version:
            return candidate
    raise MissingToolError(
        f"no Python {version} is installed", hint=f"run `uv python install {version}`"
    )


def _candidates(version: str) -> Iterator[Path]:
    """Yield interpreters that may be of a version: uv itself finds none of pyenv's."""
    from uv import find_uv_bin

    yield Path(sys.executable)
    found = shutil.which(f"python{version}")
    if found:
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    command = [find_uv_bin(), "python", "find", "--no-python-downloads", version]
    managed = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if managed:
        yield Path(managed)


def _version_of(python: Path) -> str:
    """Return the version of an interpreter; empty where it does not run, as pyenv's shims may."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        command = [str(python), "-I", "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _build_once(lock: Path, folder: Path, base: Path, title: str) -> None:
    from filelock import FileLock
    from uv import find_uv_bin

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if (folder / _MARKER).exists():
            return
        say(f"building the environment of {title} from {lock} (once)")
        shutil.rmtree(folder, ignore_errors=True)  # what a killed build left
        uv = find_uv_bin()
        _uv([uv, "venv", "--quiet", "--python", str(base), str(folder)], lock, title)
        python = str(folder / "bin" / "python")
        install = ("pip", "install", "--quiet", "--compile-bytecode", "--python", python)
        _uv([uv, *install, "--requirements", str(lock)], lock, title)
        (folder / _MARKER).touch()


def _uv(command: Sequence[str], lock: Path, title: str) -> None:
    done = run_logged(command)
    if done.exit_code != 0:
        raise MissingToolError(
            f"the environment of {title} cannot be built from {lock}:\n{tail(done.stderr)}",
            hint=f"check the network and {lock}, then run the same command again",
        )
