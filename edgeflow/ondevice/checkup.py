"""Says how a device is: disk, memory, clock, heat, and what it needs for deployments.

Run as ``python -c SOURCE ROOT``. Standard library only; Python 3.7 or newer; imports nothing of
edgeflow. Prints one JSON object; nothing is changed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SYS, PROC = "/sys", "/proc"


def read(path: str) -> str | None:
    """Return a small file's stripped text; None where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def room(path: str) -> dict[str, Any]:
    """Return free bytes and inodes where a path is, or will be, and whether it can be written."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    usage = os.statvfs(path)
    # File systems without a fixed number of inodes report none at all.
    return {
        "free_bytes": usage.f_bavail * usage.f_frsize,
        "free_inodes": usage.f_favail if usage.f_files else None,
        "writable": os.access(path, os.W_OK),
    }


def memory() -> dict[str, Any]:
    """Return total and available memory in bytes; None where the kernel does not tell."""
    lines = (read(PROC + "/meminfo") or "").splitlines()
    kibibytes = {line.partition(":")[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    found = {
        "memory_bytes": kibibytes.get("MemTotal"),
        "available_bytes": kibibytes.get("MemAvailable"),
    }
    return {name: int(text) * 1024 if text else None for name, text in found.items()}


def temperature_c() -> float | None:
    """Return the temperature of the first thermal zone in degrees Celsius, if there is one."""
    text = read(SYS + "/class/thermal/thermal_zone0/temp")
    return int(text) / 1000 if text and text.lstrip("-").isdigit() else None


def throttled() -> int | None:
    """Return the flags of a Raspberry Pi's firmware; None on other boards."""
    text = read(SYS + "/devices/platform/soc/soc:firmware/get_throttled")
    return int(text, 16) if text else None


def trust(root: str) -> dict[str, str | None]:
    """Return the files that say whose bundles are taken."""
    return {
        name: read(os.path.join(root, "trust", name))
        for name in ("allowed_signers", "revoked_keys")
    }


def checkup(root: str) -> dict[str, Any]:
    """Return all of it."""
    root = os.path.abspath(root)
    return dict(
        room(root),
        **memory(),
        provisioned=os.path.exists(os.path.join(root, "env", "current", "bin", "python")),
        unix_s=time.time(),
        governor=read(SYS + "/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        temperature_c=temperature_c(),
        throttled=throttled(),
        trust=trust(root),
        ssh_keygen=shutil.which("ssh-keygen") is not None,
    )


if __name__ == "__main__":
    print(json.dumps(checkup(sys.argv[1])))
