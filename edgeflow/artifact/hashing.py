"""SHA-256 of files and of JSON values, the only digest edgeflow uses."""

import hashlib
import json
import os
import stat
from pathlib import Path


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """Return the bytes of a regular file; a pipe or a device is never waited for.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no regular file, or larger than the limit.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("is no regular file")
        if status.st_size > limit_bytes:
            raise ValueError(f"has more than {limit_bytes} bytes")
        return file.read()


def sha256_text(text: str) -> str:
    """Return the hex SHA-256 of a text in UTF-8; a file's name may be no Unicode."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def canonical_json(value: object) -> str:
    """Serialize `value` so that equal values give equal text: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_json(value: object) -> str:
    """Return the hex SHA-256 of a JSON value's canonical text."""
    return sha256_text(canonical_json(value))
