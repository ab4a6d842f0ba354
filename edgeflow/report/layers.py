"""The layers that take most of a model's time, as the engine's counters have it."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from edgeflow.deploy.runner import Layer

SHOWN = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Slow:
    """A layer with its share of the time of all."""

    layer: Layer
    share: float


def slowest(layers: Sequence[Layer], most: int = SHOWN) -> list[Slow]:
    """Return the layers that take longest, the longest first."""
    total_us = sum(layer.time_us for layer in layers)
    found = heapq.nlargest(most, layers, key=lambda layer: layer.time_us)
    return [Slow(layer=one, share=one.time_us / total_us if total_us else 0.0) for one in found]
