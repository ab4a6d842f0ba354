"""Another Python than the one that runs the tests, for toolchains with one of their own."""

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from edgeflow.errors import MissingToolError
from edgeflow.toolchain.environment import find_python

_VERSIONS = ("3.10", "3.12", "3.13", "3.9", "3.8", "3.11")


@cache
def another_version() -> str | None:
    """Return the version of an installed Python that is not this one; None if there is none."""
    for version in _VERSIONS:
        if version == "{}.{}".format(*sys.version_info[:2]):
            continue
        try:
            find_python(version)
        except MissingToolError:
            continue
        return version
    return None


def needed_version() -> str:
    """Return the version of an installed Python that is not this one; skip where there is none."""
    needed = f"needs a second Python ({', '.join(_VERSIONS)}): `uv python install {_VERSIONS[0]}`"
    return another_version() or pytest.skip(needed)


def another_python() -> Path:
    """Return an interpreter of another version than this one; skip where there is none."""
    return find_python(needed_version())


def version_of(python: Path) -> tuple[int, int]:
    """Return the version of an interpreter."""
    program = "import sys; print(*sys.version_info[:2])"
    command = [str(python), "-I", "-c", program]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    major, minor = said.split()
    return int(major), int(minor)
