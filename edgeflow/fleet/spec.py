"""What a rollout is asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class RolloutSpec:
    """A rollout of one bundle, or of one for each variant, to a fleet.

    Attributes:
        bundle_sha256: digest of the bundle; with variants, of their digests.
        waves: how many devices have been reached after each wave: a count, or as a float a share
            of the fleet. The first wave is the canary. What the last one leaves out is not touched.
        soak_s: how long a wave is watched before the next begins.
        poll_s: how long to wait between two looks at the devices of a wave that is watched.
        max_failed: most devices that may end neither confirmed nor unreachable: a count, or as a
            float a share of those that the waves so far reach.
        max_unreachable: most devices that may not answer: a count, or as a float a share of the
            fleet.
        connections: most devices that are worked on at a time.
        allow_downgrade: whether a device may go back to a bundle with a lower counter.
    """

    name: str
    model: str
    bundle_sha256: str
    waves: tuple[int | float, ...] = (1, 0.1, 0.5, 1.0)
    soak_s: float = 0.0
    poll_s: float = 10.0
    max_failed: int | float = 0
    max_unreachable: int | float = 0
    connections: int = 16
    allow_downgrade: bool = False
