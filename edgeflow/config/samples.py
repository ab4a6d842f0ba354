"""What the configuration says of samples that steps after the dataset know of, too."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from edgeflow.config.base import Section

Part = Literal["train", "validation", "test", "calibration"]
PARTS: tuple[Part, ...] = ("train", "validation", "test", "calibration")
"""The parts that a dataset is split into."""
Stored = Literal["uint8", "float32"]
"""Types of samples as datasets store them."""


def _positive(values: float | list[float]) -> float | list[float]:
    if any(value <= 0 for value in (values if isinstance(values, list) else [values])):
        raise ValueError("a standard deviation must be above 0")
    return values


Channels = Annotated[list[float], Field(min_length=1)]
Mean = float | Channels
Deviation = Annotated[float | Channels, AfterValidator(_positive)]


class Preprocess(Section):
    """From stored samples to the network's float32 input.

    It is `(x * scale + offset - mean) / std`. Means and deviations are one for all channels, or a
    list with one for each: the last axis of a sample, or the features of a vector.
    """

    scale: float | None = None
    """Factor of stored values; by default as the source says: 1/255 for images."""
    offset: float | None = None
    """What is added then; 0 by default."""
    mean: Mean | None = None
    """Mean of the values so far, in all or in each channel; 0 by default."""
    std: Deviation | None = None
    """Standard deviation of the values so far, in all or in each channel; 1 by default."""
    standardize: bool = False
    """Whether mean and std of each channel are computed from the training set."""

    @model_validator(mode="after")
    def _keeps_samples_apart(self) -> "Preprocess":
        if self.scale == 0:
            raise ValueError("a scale of 0 makes all samples equal")
        given = self.model_dump(exclude={"standardize"}, exclude_none=True)
        if self.standardize and given:
            raise ValueError("`standardize` computes all of it: leave the other keys out")
        return self


class Affine(Section):
    """From stored samples to the network's input, `x * scale + offset`, as manifests have it.

    Numbers, or lists with one for each place of a sample's last axis.
    """

    scale: float | list[float]
    offset: float | list[float] = 0.0
