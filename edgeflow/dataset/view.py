"""A built dataset as later steps see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from edgeflow.artifact.manifest import verify_files
from edgeflow.artifact.step import Files
from edgeflow.config.samples import Affine
from edgeflow.tasks.registry import DEFAULT, TaskName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Truth

Part = Literal["train", "validation", "test", "calibration"]
PARTS: tuple[Part, ...] = ("train", "validation", "test", "calibration")


class DatasetFacts(BaseModel):
    """What the dataset's manifest says beside the hashes.

    Attributes:
        labels: names of the classes or of the targets, in their order.
        input_shape: shape of one sample, without the batch: height, width, channels, or another.
        preprocess: how stored samples become the network's input.
        task: what networks learn, see `edgeflow.tasks`.
        front_end: parameters of `edgeflow.ondevice.front_end`, where it made the samples.
        counts: samples of each class, by part; where there are no classes, of all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    labels: list[str]
    input_shape: list[int]
    preprocess: Affine
    task: TaskName = DEFAULT
    front_end: dict[str, JsonValue] | None = None
    counts: dict[str, list[int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetView:
    """A dataset's folder, with its facts.

    Files: ``{part}_x.npy`` (uint8 or float32, n x input_shape) and ``{part}_y.npy``
    (class numbers, int64, n; or targets, float32, n x labels).
    """

    folder: Path
    facts: DatasetFacts

    def raw(self, part: Part) -> "NDArray[np.generic]":
        """Return a part's samples as stored, (n, *input_shape), uint8 or float32."""
        import numpy as np

        samples: NDArray[np.generic] = np.load(self.folder / f"{part}_x.npy", allow_pickle=False)
        return samples

    def inputs(self, part: Part) -> "NDArray[np.float32]":
        """Return a part's samples as the network's input, float32 (n, *input_shape)."""
        import numpy as np

        # To the last bit what `to_input` of the runner does on the device.
        inputs = self.raw(part).astype(np.float32)
        inputs *= np.asarray(self.facts.preprocess.scale, np.float32)
        inputs += np.asarray(self.facts.preprocess.offset, np.float32)
        return inputs

    def truth(self, part: Part) -> "Truth":
        """Return a part's class numbers, int64 (n,), or targets, float32 (n, labels)."""
        import numpy as np

        truth: Truth = np.load(self.folder / f"{part}_y.npy", allow_pickle=False)
        return truth


def part_files(folder: Path, parts: tuple[Part, ...]) -> Files:
    """Return what a step depends on that reads these parts of a built dataset."""
    names = tuple(f"{part}_{axis}.npy" for part in parts for axis in "xy")
    return Files(
        manifest=folder / "manifest.json",
        names=names,
        facts=("labels", "input_shape", "preprocess", "task", "front_end"),
    )


def open_dataset(folder: Path, parts: tuple[Part, ...]) -> DatasetView:
    """Open a built dataset and verify the parts that will be read.

    Raises:
        IntegrityError: a file is missing or not what the manifest says.
    """
    names = [f"{part}_{axis}.npy" for part in parts for axis in "xy"]
    manifest = verify_files(folder / "manifest.json", names)
    return DatasetView(folder=folder, facts=DatasetFacts.model_validate(manifest.facts))
