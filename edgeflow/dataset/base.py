"""What every source gives: samples with their truth, and how they become network input."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edgeflow.dataset.tensors import stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Truth

UINT8_SCALE = 1 / 255
"""Brings uint8 pixels, 0..255, to the network's range, 0..1."""


def default_scale(dtype: "np.dtype[Any]") -> float:
    """Return the scale of arrays of the user: pixels to 0..1, floats as they are."""
    return UINT8_SCALE if dtype == "uint8" else 1.0


GivenPart = Literal["train", "validation", "test"]
"""A part that a source may bring itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Samples of one part.

    Attributes:
        x: uint8 or float32, (n, *shape of a sample): height, width, channels, or another. Where
            there are several inputs: records, (n,), with such a field for each.
        y: class numbers, int64, (n,), 0 to the number of classes - 1; or targets, float32 (n, k).
        names: of the files that they come from, where each has one of its own.
    """

    x: "NDArray[np.generic]"
    y: "Truth"
    names: tuple[str, ...] | None = None

    def of(self, field: str) -> "Samples":
        """Return the same samples with one of their inputs alone."""
        return replace(self, x=stored(self.x).arrays[field])


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Some of the samples, in an order of their own; `x` and `y` are copied when asked for.

    Attributes:
        samples: that it selects from.
        index: their positions, int64 (n,).
    """

    samples: Samples
    index: "NDArray[np.int64]"

    @property
    def x(self) -> "NDArray[np.generic]":
        """The samples, (n, *shape of a sample)."""
        return self.samples.x[self.index]

    @property
    def y(self) -> "Truth":
        """The class numbers, (n,), or targets, (n, k)."""
        return self.samples.y[self.index]

    def of(self, field: str) -> "Selection":
        """Return the same samples with one of their inputs alone."""
        return replace(self, samples=self.samples.of(field))

    def at(self, index: "NDArray[np.int64]") -> "Selection":
        """Return the samples at the positions `index` of this selection, in that order."""
        return Selection(samples=self.samples, index=self.index[index])

    def name(self, position: int) -> str:
        """Return the name of the file of a sample, or its number in the source."""
        number, names = int(self.index[position]), self.samples.names
        return names[number] if names else f"number {number}"


def every(samples: Samples) -> Selection:
    """Return all samples in their order."""
    import numpy as np

    return Selection(samples=samples, index=np.arange(len(samples.y)))


@dataclass(frozen=True, kw_only=True, slots=True)
class RawDataset:
    """A dataset as its source holds it, not yet split.

    ``x * scale + offset`` is the network's input: 0..1 for images; float samples of an .npz
    file are taken as they are. Of several inputs each has the scale of its dtype.

    Attributes:
        labels: names of the classes or of the targets, in their order.
        validation: the source's own validation set, if it has one.
        test: the source's own test set, if it has one.
        front_end: parameters of `edgeflow.ondevice.front_end`, where it made the samples.
        notes: what a user should know of the samples, a line each.
    """

    train: Samples
    labels: tuple[str, ...]
    scale: float
    offset: float = 0.0
    validation: Samples | None = None
    test: Samples | None = None
    front_end: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    def parts(self) -> dict[GivenPart, Samples]:
        """Return the parts that the source brings."""
        given: dict[GivenPart, Samples | None] = {
            "train": self.train,
            "validation": self.validation,
            "test": self.test,
        }
        return {part: samples for part, samples in given.items() if samples is not None}

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in their order."""
        return tuple(stored(self.train.x).arrays)

    def scale_of(self, field: str) -> float:
        """Return the scale of an input."""
        if self.train.x.dtype.names is None:
            return self.scale
        return default_scale(stored(self.train.x).arrays[field].dtype)

    def truths(self) -> "dict[str, Truth]":
        """Return the truth of each of these parts."""
        return {str(part): samples.y for part, samples in self.parts().items()}


class Source(Protocol):
    """What each module of `edgeflow.dataset.sources` provides."""

    TOOLS: tuple[str, ...]
    """Distributions that decode the samples, beside numpy."""

    def files(self, section: Any, /) -> Mapping[str, Path]:
        """Return the local files that exist, by a name that is the same on every machine.

        It is called whenever Snakemake plans, and must be quick for ten thousands of files.
        """

    def load(self, section: Any, /) -> RawDataset:
        """Read all samples; DataError if they are missing or corrupt."""

    def suffixes(self) -> frozenset[str]:
        """Return the suffixes of files with a sample each, in small letters."""

    def read(self, path: Path, section: Any, /) -> "NDArray[np.generic]":
        """Return the sample of one such file, as `load` does; DataError if it is none."""
