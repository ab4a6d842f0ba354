"""How a rollout ended for one device: five outcomes that are never mixed up."""

from dataclasses import dataclass
from typing import Literal, get_args

Result = Literal["confirmed", "rolled_back", "rejected", "unreachable", "unknown"]
RESULTS: tuple[Result, ...] = get_args(Result)
FAILED: frozenset[Result] = frozenset({"rolled_back", "rejected", "unknown"})
"""What counts against a rollout's `max_failed`: of an unknown device the worst is assumed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What came of one device.

    Attributes:
        result: ``confirmed``: it serves the bundle, and was told to keep it. ``rolled_back``: it
            served the bundle and went back. ``rejected``: the bundle was never switched to.
            ``unreachable``: it did not answer, and serves what it served. ``unknown``: it stopped
            answering between the switch and the confirmation.
        detail: why, for people; empty where there is nothing to say.
        hint: what to do about it.
    """

    result: Result
    detail: str = ""
    hint: str = ""
    sent_bytes: int = 0
    seconds: float = 0.0
