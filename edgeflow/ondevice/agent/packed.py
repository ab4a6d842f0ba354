"""Packed uploads, by whatever unpacks Zstandard on the device."""

from __future__ import annotations

import contextlib
import importlib
import os
from functools import partial

from .answer import Refused
from .files import BLOCK_BYTES, remove
from .space import SPARE_BYTES, require_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import IO

# Zstandard came into the standard library with Python 3.14.
ZSTD_MODULES = ("compression.zstd", "zstandard")
ZSTD_PROGRAM = "zstd"


def zstd() -> str | None:
    """Return what unpacks Zstandard here, a module or a program; None if nothing does."""
    for module in ZSTD_MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
            return module
    import shutil

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
    import subprocess
    from typing import cast

    command = [ZSTD_PROGRAM, "--decompress", "--stdout", "--quiet", path]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe) as program:
        output, errors = cast("IO[bytes]", program.stdout), cast("IO[bytes]", program.stderr)
        yield from iter(partial(output.read, BLOCK_BYTES), b"")
        said = errors.read().decode("utf-8", "replace").strip()
    if program.returncode != 0:
        raise Refused("corrupt", f"the packed upload is damaged: {said}")


def unpack_upload(packed: str, part: str, size_bytes: int) -> None:
    """Turn a packed upload into the tar it was made from, of `size_bytes` and never more."""
    written = 0
    require_space(os.path.dirname(part), size_bytes + SPARE_BYTES, 1)
    with open(part, "wb") as file, contextlib.closing(unpacked(packed)) as blocks:
        for block in blocks:
            written += len(block)
            if written > size_bytes:
                raise Refused("corrupt", f"the upload unpacks to more than {size_bytes} bytes")
            file.write(block)
    remove(packed)
