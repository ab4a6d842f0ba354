"""A built dataset as later steps see it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, JsonValue

from edgeflow.artifact.manifest import verify_files
from edgeflow.artifact.step import Files
from edgeflow.config.samples import Affine, Part, Stored
from edgeflow.dataset.tensors import Tensors, stored
from edgeflow.tasks.registry import DEFAULT, TaskName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Truth


class InputFacts(BaseModel):
    """One input of the networks.

    Attributes:
        shape: of one sample, without the batch: height, width, channels, or another.
        dtype: of samples as stored.
        preprocess: how stored samples become the network's input.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    shape: list[int]
    dtype: Stored
    preprocess: Affine


class DatasetFacts(BaseModel):
    """What the dataset's manifest says beside the hashes.

    Attributes:
        labels: names of the classes or of the targets, in their order.
        inputs: by name, in the order of their names.
        task: what networks learn, see `edgeflow.tasks`.
        front_end: parameters of `edgeflow.ondevice.front_end`, where it made the samples.
        decoding: how a file becomes a sample, see `edgeflow.config.dataset.of_decoding`.
        counts: samples of each class, by part; where there are no classes, of all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    labels: list[str]
    inputs: dict[str, InputFacts]
    task: TaskName = DEFAULT
    front_end: dict[str, JsonValue] | None = None
    decoding: dict[str, JsonValue]
    counts: dict[str, list[int]]

    @property
    def input_shape(self) -> list[int]:
        """Shape of a sample of the first input, the only one of most datasets."""
        return next(iter(self.inputs.values())).shape

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shape of a sample of each input, by position."""
        return [tuple(source.shape) for source in self.inputs.values()]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatasetView:
    """A dataset's folder, with its facts.

    Files: ``{part}_x.npy`` (uint8 or float32, n x input_shape; or records, n) and
    ``{part}_y.npy`` (class numbers, int64, n; or targets, float32, n x labels).
    """

    folder: Path
    facts: DatasetFacts

    def raw(self, part: Part) -> "NDArray[np.generic]":
        """Return a part's samples as stored, (n, *input_shape), uint8 or float32.

        Where there are several inputs: records, (n,), with a field for each.
        """
        import numpy as np

        samples: NDArray[np.generic] = np.load(self.folder / f"{part}_x.npy", allow_pickle=False)
        return samples

    def inputs(self, part: Part) -> "NDArray[np.float32]":
        """Return a part's samples as the network's first input, float32 (n, *input_shape)."""
        return self.tensors(part).first

    def tensors(self, part: Part) -> Tensors:
        """Return a part's samples as all of the network's inputs, float32."""
        arrays = stored(self.raw(part)).arrays
        return Tensors(
            {name: _floats(array, self.facts.inputs[name]) for name, array in arrays.items()}
        )

    def truth(self, part: Part) -> "Truth":
        """Return a part's class numbers, int64 (n,), or targets, float32 (n, labels)."""
        import numpy as np

        truth: Truth = np.load(self.folder / f"{part}_y.npy", allow_pickle=False)
        return truth


def _floats(samples: "NDArray[np.generic]", source: InputFacts) -> "NDArray[np.float32]":
    import numpy as np

    # To the last bit what `to_input` of the runner does on the device.
    floats = samples.astype(np.float32)
    floats *= np.asarray(source.preprocess.scale, np.float32)
    floats += np.asarray(source.preprocess.offset, np.float32)
    return floats


def part_files(folder: Path, parts: tuple[Part, ...], *facts: str) -> Files:
    """Return what a step depends on that reads these parts of a built dataset, and `facts`."""
    names = tuple(f"{part}_{axis}.npy" for part in parts for axis in "xy")
    return Files(
        manifest=folder / "manifest.json",
        names=names,
        facts=("labels", "inputs", "task", "front_end", *facts),
    )


def open_dataset(folder: Path, parts: tuple[Part, ...]) -> DatasetView:
    """Open a built dataset and verify the parts that will be read.

    Raises:
        IntegrityError: a file is missing or not what the manifest says.
    """
    names = [f"{part}_{axis}.npy" for part in parts for axis in "xy"]
    manifest = verify_files(folder / "manifest.json", names)
    return DatasetView(folder=folder, facts=DatasetFacts.model_validate(manifest.facts))
