"""Models: an architecture and its training on one dataset, or a trained model from a file."""

import importlib
import pkgutil
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from edgeflow import plugins
from edgeflow.config.base import LocalPath, Reference, Section, Seed, Text

ARCHITECTURES = "edgeflow.train.architectures"
_WORD = "[A-Za-z_][A-Za-z0-9_]*"
ARCHITECTURE_PATTERN = rf"^([a-z][a-z0-9_]*|{_WORD}(\.{_WORD})*:{_WORD})$"
VARY_PATTERN = rf"^{_WORD}(\.{_WORD})*$"


def architecture_module(name: str) -> str:
    """Return the module that defines an architecture: ours by name, the user's by import path."""
    return name.partition(":")[0] if ":" in name else f"{ARCHITECTURES}.{name}"


@cache
def architectures() -> list[str]:
    """Return the sorted names of edgeflow's own architectures, without importing them."""
    package = plugins.find_module(ARCHITECTURES)
    folders = package.submodule_search_locations if package else None
    return sorted(module.name for module in pkgutil.iter_modules(folders))


@cache
def architecture_outputs(name: str) -> str:
    """Return what one of edgeflow's own architectures gives outputs for, see `tasks.base.Task`."""
    module = importlib.import_module(architecture_module(name))
    return str(getattr(module, "OUTPUTS", "labels"))


class Architecture(Section):
    """A network by name, with its options beside the name.

    The name is one of edgeflow's (a file in `edgeflow/train/architectures/`) or an import
    path such as `mypkg.nets:build`, a function `build(keras, input_shape, classes, **options)`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]
    name: Annotated[str, Field(pattern=ARCHITECTURE_PATTERN)]
    """Built-in name, or `package.module:function`."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `name`, to be passed to the build function."""
        return dict(self.__pydantic_extra__)


class Augment(Section):
    """Random changes of training samples that leave their class as it is."""

    shift: Annotated[int, Field(ge=0, le=64)] = 0
    """Largest move along height and width, in pixels; the border is mirrored."""
    flip: bool = False
    """Whether half of the samples are mirrored left to right."""


class Train(Section):
    """How a float model is trained."""

    epochs: Annotated[int, Field(ge=1)] = 10
    """Upper bound; training stops early when the validation loss no longer falls."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Samples in one step."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.0e-3
    """Initial step size of Adam."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over time: constant, or cosine decay to zero over all epochs."""
    patience: Annotated[int, Field(ge=1)] = 5
    """Epochs without a lower validation loss before training stops."""
    seed: Seed = 7
    """Seed of initial weights, shuffling and dropout."""
    augment: Augment = Augment()
    """Random changes of the training samples."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Cores of one training. Another number may sum in another order and give other weights."""
    deterministic: bool = True
    """Whether the same data and settings give the same weights, byte for byte, on any CPU of a
    vendor. `false` takes the fastest kernels of the CPU at hand; training and recipes that train
    are faster, and their results cannot be reproduced."""


SlurmName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]

_WORDS = "[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ENTRY = rf"(gres/)?{_WORDS}(:{_WORDS})?(:[0-9]+[KMGTP]?)?"
GenericResource = Annotated[str, Field(pattern=rf"^{_ENTRY}(,{_ENTRY})*$")]


class Cluster(Section):
    """What a training asks for as a job of a cluster; it changes no result."""

    partition: SlurmName | None = None
    """Partition (queue) of the job; the cluster's default one if left out."""
    account: SlurmName | None = None
    """Account that the job is charged to."""
    mem_mb: Annotated[int, Field(ge=100)] = 4000
    """Memory of the job in MB; one that was killed for memory gets twice, then three times that."""
    runtime_min: Annotated[int, Field(ge=1)] | None = None
    """Minutes after which the cluster ends the job; the partition's limit if left out."""
    gres: GenericResource | None = None
    """Generic resources as Slurm has them, such as `gpu:a100-80gb:2` or `gpu:1,nvme:10G`."""
    cpus: Annotated[int, Field(ge=1)] | None = None
    """Cores of the job; as many as `threads` if left out."""


class Training(Train):
    """How a float model is trained, and where."""

    cluster: Cluster = Cluster()
    """The job on a cluster. Changes here retrain nothing."""


class Model(Section):
    """A network that edgeflow trains, or a model file that the user brings.

    One of `architecture` and `source` must be there.
    """

    dataset: Reference
    """Name of a dataset of this configuration."""
    architecture: Architecture | None = None
    """Which network to train."""
    source: LocalPath | None = None
    """A trained model instead: .keras, .h5, .onnx or .tflite file, or folder of a SavedModel."""
    input: Text | dict[Text, Text] | None = None
    """Name of the input of `source` that takes the sample, where it has several. For a dataset of
    several inputs the name of each, as in `{image: pixels}`, where it is another in `source`."""
    output: Text | Annotated[list[Text], Field(min_length=1)] | None = None
    """Name of the output of `source` to use alone, or a list of those to keep, of which the task
    judges the first; if left out, all are kept, and one must fit the task. ONNX and .tflite: any
    tensor; Keras: any layer; SavedModel: a key of its signature."""
    train: Training = Training()
    """How it is trained; beside a `source` of Keras, how recipes train it on."""
    vary: dict[Annotated[str, Field(pattern=VARY_PATTERN)], list[JsonValue]] = Field(default={})
    """Makes a family of this model: dotted keys below the model, each with the values to try, as in
    `{architecture.width: [8, 16]}`. There is one model for each combination, named after its values
    (`wide-width8`); a deployment may name the family (`wide`) or one member."""
