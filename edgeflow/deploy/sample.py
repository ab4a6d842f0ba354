"""A sample that a device kept, believed only if it is what its name and the manifest say."""

import hashlib
import io
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from edgeflow.bundle.manifest import InputTensor
from edgeflow.remote.answer import Answer, Sha256, Words

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERHEAD_BYTES = 8 << 10
"""More than zip and .npy headers of one array take."""


class KeptFacts(Answer):
    """What the service wrote beside a sample.

    Attributes:
        release: digest of the bundle that answered.
        label: what it said, where it says classes.
        confidence: the probability of that.
        note: of the application.
    """

    release: Sha256
    reason: Literal["marked", "low confidence"]
    label: Words | None
    confidence: Annotated[float, Field(ge=0, le=1)] | None
    note: Words


class UnfitError(Exception):
    """A sample that is none, and why."""


def arrays_of(name: str, data: bytes, inputs: Sequence[InputTensor]) -> "dict[str, NDArray[Any]]":
    """Return the arrays of a sample, by input, each without a batch.

    Args:
        name: SHA-256 that it goes by.
        data: of the .npz file.
        inputs: of the bundle's manifest.

    Raises:
        UnfitError: it has other bytes than its name says, or is no sample of these inputs.
    """
    if hashlib.sha256(data).hexdigest() != name:
        raise UnfitError("its bytes are others than its name says")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            wanted = {f"x.{tensor.name}.npy": tensor for tensor in inputs}
            members = archive.infolist()
            if sorted(one.filename for one in members) != sorted(wanted):
                raise UnfitError("it has other inputs than the model")
            return {
                wanted[one.filename].name: _array(archive, one, wanted[one.filename])
                for one in members
            }
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError) as error:
        raise UnfitError(f"it is no .npz file: {error}") from error


def largest_bytes(inputs: Sequence[InputTensor]) -> int:
    """Return more bytes than any sample of these inputs takes."""
    return sum(_size(tensor) + OVERHEAD_BYTES for tensor in inputs)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, tensor: InputTensor) -> Any:
    import numpy as np

    from edgeflow.dataset.arrays import npy_header

    if member.compress_type != zipfile.ZIP_STORED or member.file_size > largest_bytes([tensor]):
        raise UnfitError(f"{tensor.name} is packed, or larger than a sample")
    with archive.open(member) as file:
        shape, fortran, dtype = npy_header(file)
        if (list(shape), dtype, fortran) != (tensor.shape[1:], np.dtype(tensor.stored), False):
            found = f"{dtype} {shape}, not {tensor.stored} {tuple(tensor.shape[1:])}"
            raise UnfitError(f"{tensor.name} is {found}")
        return np.frombuffer(file.read(_size(tensor)), dtype).reshape(shape)


def _size(tensor: InputTensor) -> int:
    import math

    import numpy as np

    return math.prod(tensor.shape[1:]) * np.dtype(tensor.stored).itemsize
