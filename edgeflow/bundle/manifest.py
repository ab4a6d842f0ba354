"""The manifest inside a bundle: what the device verifies and what the runner reads."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from edgeflow.artifact.manifest import FileRecord
from edgeflow.bundle.archive import read_member
from edgeflow.config.samples import Affine
from edgeflow.errors import IntegrityError

MANIFEST = "manifest.json"


class Tensor(BaseModel):
    """An input or output of the model; scale 0 is a float tensor."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    shape: list[int]
    dtype: str
    scale: float
    zero_point: int


class InputTensor(Tensor):
    """An input, with the way from stored samples to floats: for all or for each channel."""

    preprocess: Affine


class OutputTensor(Tensor):
    """An output, with the largest absolute difference allowed; 0 where it must be equal."""

    tolerance: float


class Io(BaseModel):
    """Inputs and outputs of the model, by position."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    inputs: list[InputTensor]
    outputs: list[OutputTensor]


class BundleManifest(BaseModel):
    """First member of a bundle.

    Attributes:
        target: kind of the target, with its options.
        files: every other member, with digest and size; nothing else may be in the tar.
        engine_options: passed to `Engine`, with the name of the model file.
        io: the model's inputs and outputs; golden vectors and reference have their names.
        front_end: what ``front_end.py`` in the bundle needs to make a sample of recorded sound;
            None where samples are no such features.
        bit_exact: whether the device must give the host's very bytes.
        clock: ``none`` where the engine has no wall clock: no latency is measured then.
        signature: reserved for the detached signature of this manifest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: int = 1
    target: dict[str, JsonValue]
    model: str
    recipe: str
    quantize: str
    labels: list[str]
    engine_options: dict[str, JsonValue]
    io: Io
    front_end: dict[str, JsonValue] | None = None
    bit_exact: bool
    clock: Literal["device", "none"] = "device"
    files: dict[str, FileRecord]
    signature: None = None


def read_bundle(path: Path) -> BundleManifest:
    """Read the manifest of a bundle.

    Raises:
        IntegrityError: the file is not a bundle.
    """
    try:
        return BundleManifest.model_validate(json.loads(read_member(path, MANIFEST)))
    except Exception as error:  # tarfile, json and pydantic: all mean the same here
        raise IntegrityError(
            f"{path} is not a bundle: {error}", hint=f"delete {path} and run `snakemake` again"
        ) from error
