"""Models: an architecture and its training on one dataset."""

import importlib.util
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from edgeflow.config.base import Name, Section

ARCHITECTURES = "edgeflow.train.architectures"


def architecture_module(name: str) -> str:
    """Return the module that defines an architecture: ours by name, the user's by import path."""
    return name.partition(":")[0] if ":" in name else f"{ARCHITECTURES}.{name}"


class Architecture(BaseModel):
    """A network by name, with its options beside the name.

    The name is one of edgeflow's (a file in `edgeflow/train/architectures/`) or an import
    path such as `mypkg.nets:build`, a function `build(keras, input_shape, classes, **options)`.
    """

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)
    name: Annotated[str, Field(pattern=r"^([a-z0-9_]+|[A-Za-z0-9_.]+:[A-Za-z0-9_]+)$")]
    """Built-in name, or `package.module:function`."""

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `name`, to be passed to the build function."""
        return dict(self.model_extra or {})

    @field_validator("name")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            found = importlib.util.find_spec(architecture_module(name))
        except ImportError:
            found = None
        if found is None:
            raise ValueError(f"no architecture {name!r}: module not found")
        return name


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
    seed: int = 7
    """Seed of initial weights, shuffling and dropout."""


class Model(Section):
    """A network that edgeflow trains."""

    dataset: Name
    """Name of a dataset of this configuration."""
    architecture: Architecture
    """Which network."""
    train: Train = Train()
    """How it is trained."""
