"""What the configuration says of samples that steps after the dataset know of, too."""

from typing import Literal

from pydantic import model_validator

from edgeflow.config.base import Section

TaskName = Literal["classification", "anomaly"]


class Preprocess(Section):
    """From stored samples to the network's float32 input: `x * scale + offset`."""

    scale: float
    """Factor of stored values: 0 to 255 for images, 0 to 16 for `digits`."""
    offset: float = 0.0
    """What is added then."""

    @model_validator(mode="after")
    def _keeps_samples_apart(self) -> "Preprocess":
        if self.scale == 0:
            raise ValueError("a scale of 0 makes all samples equal")
        return self
