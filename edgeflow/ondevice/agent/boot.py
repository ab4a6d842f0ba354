"""Points in time that no setting of the clock moves: a boot of the device, and seconds in it."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json

BOOT_ID = "/proc/sys/kernel/random/boot_id"


def boot_id() -> str:
    """Return what names this boot of the device; empty where the system does not tell."""
    try:
        with open(BOOT_ID) as file:
            return file.read().strip()
    except OSError:
        return ""


LONGEST_S = 10**7
"""A trial of months would be none, and the sum of two times must be one."""


def after(seconds: float) -> Json:
    """Return the point in time that is so many seconds away."""
    return {"boot": boot_id(), "monotonic_s": time.monotonic() + seconds}


def left_s(point: Json) -> float:
    """Return the seconds until a point in time; none are left of one in another boot."""
    if point["boot"] != boot_id():
        return 0.0
    return max(0.0, float(point["monotonic_s"]) - time.monotonic())
