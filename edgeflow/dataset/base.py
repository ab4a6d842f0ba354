"""What every source gives: samples with class numbers, and how they become network input."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UINT8_SCALE = 1 / 255
"""Brings uint8 pixels, 0..255, to the network's range, 0..1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Samples of one part.

    Attributes:
        x: uint8 or float32, (n, height, width, channels).
        y: class numbers, int64, (n,), 0 to the number of classes - 1.
    """

    x: "NDArray[np.generic]"
    y: "NDArray[np.int64]"

    def at(self, index: "NDArray[np.int64]") -> "Samples":
        """Return the samples at the positions `index`, in that order."""
        return Samples(x=self.x[index], y=self.y[index])


@dataclass(frozen=True, kw_only=True, slots=True)
class RawDataset:
    """A dataset as its source holds it, not yet split.

    ``x * scale + offset`` is the network's input: 0..1 for images; float samples of an .npz
    file are taken as they are.

    Attributes:
        labels: class names, in the order of the class numbers.
        test: the source's own test set, if it has one.
        front_end: parameters of `edgeflow.ondevice.front_end`, where it made the samples.
    """

    train: Samples
    labels: tuple[str, ...]
    scale: float
    offset: float = 0.0
    test: Samples | None = None
    front_end: Mapping[str, Any] | None = None


class Source(Protocol):
    """What each module of `edgeflow.dataset.sources` provides."""

    TOOLS: tuple[str, ...]
    """Distributions that decode the samples, beside numpy."""

    def files(self, options: Any, /) -> Mapping[str, Path]:
        """Return the local files that exist, by a name that is the same on every machine."""

    def load(self, options: Any, /) -> RawDataset:
        """Read all samples; DataError if they are missing or corrupt."""
