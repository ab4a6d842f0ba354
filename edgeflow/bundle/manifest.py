"""The manifest inside a bundle: what the device verifies and what the runner reads."""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from edgeflow.artifact.manifest import FileRecord, RelativePath
from edgeflow.bundle.archive import read_member
from edgeflow.config.samples import Affine, Part, Stored
from edgeflow.errors import IntegrityError
from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.manifest import MANIFEST as MANIFEST
from edgeflow.ondevice.agent.manifest import MANIFEST_MAX_BYTES
from edgeflow.ondevice.agent.manifest import SIGNATURE as SIGNATURE
from edgeflow.ondevice.agent.signature import SIGNATURE_MAX_BYTES
from edgeflow.tasks.registry import TaskName
from edgeflow.text import excerpt

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Size = Annotated[int, Field(ge=1, lt=1 << 31)]


class Tensor(BaseModel):
    """An input or output of the model; scale 0 is a float tensor."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]
    shape: list[Size]
    dtype: Annotated[str, Field(pattern=r"^(u?int(8|16|32|64)|float(16|32|64)|bool)$")]
    scale: float
    zero_point: int


class InputTensor(Tensor):
    """An input, with the type of stored samples and the way from these to floats.

    That is one for all channels, or one for each.
    """

    stored: Stored
    preprocess: Affine


class OutputTensor(Tensor):
    """An output, with the largest absolute difference allowed; 0 where it must be equal."""

    tolerance: float


class Io(BaseModel):
    """Inputs and outputs of the model, by position."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    inputs: list[InputTensor]
    outputs: list[OutputTensor]


class Meaning(BaseModel):
    """What the output that the task judges says of a sample.

    Attributes:
        task: what the network learned.
        probabilities: whether a classifier gives these, and not their logits.
        threshold: score above which a sample is anomalous: a share of the normal test samples is,
            see `edgeflow.tasks.anomaly.FALSE_ALARMS`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    task: TaskName
    probabilities: bool = False
    threshold: float | None = None


class Provenance(BaseModel):
    """Digests of the manifests of what a bundle was made from.

    Each is that of what its step made, the files and facts that its manifest lists: a step that
    makes the same again, by other code, is no reason to deploy again.

    Attributes:
        parts: of the dataset that any step has read; the digest is that of these.
        dataset: of the dataset's manifest.
        training: of the trained or imported model's.
        recipe: of the recipe's.
        compile: of the compilation's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    parts: list[Part]
    dataset: Digest
    training: Digest
    recipe: Digest
    compile: Digest


class DeviceClass(BaseModel):
    """What a device must be; the agent refuses a bundle for another.

    Attributes:
        machines: what `uname -m` may say; empty for any.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    machines: list[str] = []


class BundleManifest(BaseModel):
    """First member of a bundle.

    Attributes:
        target: kind of the target, with its options.
        files: every other member, with digest and size; nothing else may be in the tar.
        engine_options: passed to `Engine`, with the name of the model file.
        io: the model's inputs and outputs; golden vectors and reference have their names.
        front_end: what ``front_end.py`` in the bundle needs to make a sample of recorded sound;
            None where samples are no such features.
        decoding: how a file becomes a sample, see `edgeflow.config.dataset.of_decoding`.
        meaning: of the first output.
        bit_exact: whether the device must give the host's very bytes.
        clock: ``none`` where the engine has no wall clock: no latency is measured then.
        counter: number of the release; devices refuse one that is lower than they have had.
        device_class: what a device must be.
        provenance: what the bundle was made from; None if no build has made it.
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
    decoding: dict[str, JsonValue]
    meaning: Meaning
    bit_exact: bool
    clock: Literal["device", "none"] = "device"
    files: dict[RelativePath, FileRecord]
    counter: Annotated[int, Field(ge=0)] = 0
    device_class: DeviceClass = DeviceClass()
    provenance: Provenance | None = None


def read_bundle(path: Path) -> BundleManifest:
    """Read the manifest of a bundle.

    Raises:
        IntegrityError: the file is not a bundle.
    """
    try:
        return BundleManifest.model_validate(json.loads(manifest_bytes(path)))
    except Exception as error:  # of the tar, of json and of pydantic: all mean the same here
        raise _no_bundle(path, excerpt(str(error))) from error


def manifest_bytes(path: Path) -> bytes:
    """Return the manifest of a bundle, as it is there.

    Raises:
        KeyError: the tar has none.
        Refused: it is no tar of ours, or its manifest is one that no device would read.
    """
    return read_member(path, MANIFEST, MANIFEST_MAX_BYTES)


def signature_in(path: Path) -> bytes | None:
    """Return the signature that a bundle brings; None if it is not signed.

    Raises:
        IntegrityError: the file is not a bundle.
    """
    try:
        return read_member(path, SIGNATURE, SIGNATURE_MAX_BYTES, first=2)  # as devices do
    except KeyError:
        return None
    except Refused as error:
        raise _no_bundle(path, str(error)) from error


def _no_bundle(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is not a bundle: {reason}", hint=f"delete {path} and run `edgeflow run` again"
    )
