"""The manifest inside a bundle: what the device verifies and what the runner reads."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from edgeflow.artifact.manifest import FileRecord
from edgeflow.bundle.archive import read_member
from edgeflow.config.samples import Affine
from edgeflow.errors import IntegrityError

MANIFEST = "manifest.json"


class BundleManifest(BaseModel):
    """First member of a bundle.

    Attributes:
        target: kind of the target, with its options.
        files: every other member, with digest and size; nothing else may be in the tar.
        engine_options: passed to `Engine`, with the name of the model file.
        io: shape, dtype, scale and zero point of the model's input and output.
        preprocess: from stored samples to the float input, for all or for each channel.
        front_end: what ``front_end.py`` in the bundle needs to make a sample of recorded sound;
            None where samples are no such features.
        tolerance: largest absolute difference of golden outputs; 0 where they must be equal.
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
    io: dict[str, Any]
    preprocess: Affine
    front_end: dict[str, JsonValue] | None = None
    tolerance: float
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
