"""Which interpreter a virtual device runs."""

import sys
from pathlib import Path

from edgeflow.paths import lock_file
from edgeflow.toolchain.environment import build, folder


def device_python(lock: str | None, title: str = "the device", version: str | None = None) -> Path:
    """Return the interpreter of a virtual device: of its lock file, or edgeflow's own.

    Args:
        lock: of its packages, if it has one.
        title: what messages call it.
        version: of Python, for the lock; by default edgeflow's own.

    Raises:
        MissingToolError: the lock file is missing, or uv cannot install it.
    """
    if lock is None:
        return Path(sys.executable)
    return build(
        lock_file(lock),
        folder(),
        title=title,
        hint=f"fix `environment` of {title} in config.yaml",
        version=version,
    )
