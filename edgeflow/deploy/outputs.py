"""The file of raw outputs that a device gives back, read only if it is exactly what was asked."""

import math
import posixpath
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.manifest import BundleManifest, OutputTensor
from edgeflow.dataset.tensors import Tensors
from edgeflow.deploy.agent import outputs_stem
from edgeflow.deploy.release import OpenDevice
from edgeflow.errors import DeployError, IntegrityError
from edgeflow.remote.answer import malformed

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADER_MAX_BYTES = 4096
"""More than the header of any .npy file that holds one plain array."""


def fetch_outputs(
    device: OpenDevice, manifest: BundleManifest, samples: int, digests: Mapping[str, str]
) -> Tensors:
    """Return the raw outputs that the device computed, by name.

    Args:
        device: where they are.
        manifest: of the release that ran.
        samples: how many it ran on.
        digests: of the files, by name of the output, as the runner answered.

    Raises:
        DeployError: they are not what such a release gives.
        IntegrityError: what came back is not what the device sent.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return Tensors(
            {
                tensor.name: _fetch_output(
                    device, manifest, tensor, samples, digests[tensor.name], Path(scratch)
                )
                for tensor in manifest.io.outputs
            }
        )


def _fetch_output(
    device: OpenDevice,
    manifest: BundleManifest,
    tensor: OutputTensor,
    samples: int,
    sha256: str,
    scratch: Path,
) -> "NDArray[Any]":
    import numpy as np

    name = device.endpoint.name
    shape = (samples, *tensor.shape[1:])
    size = math.prod(shape) * np.dtype(tensor.dtype).itemsize
    local = scratch / f"{outputs_stem()}.{tensor.name}.npy"
    remote = posixpath.join(device.model_dir(manifest.model), local.name)
    device.fetch(remote, local, size + HEADER_MAX_BYTES)
    if sha256_file(local) != sha256:
        raise IntegrityError(
            f"the outputs from {name} changed on their way",
            hint="run `edgeflow run` again; if it repeats, check the device's storage",
        )
    return read_outputs(local, shape, tensor.dtype, device=name, model=manifest.model)


def read_outputs(
    path: Path, shape: tuple[int, ...], dtype: str, *, device: str, model: str
) -> "NDArray[Any]":
    """Return a device's outputs.

    The header is judged before any data is read, and no pickle is opened.

    Args:
        path: the .npy file as it was fetched.
        shape: of all outputs, (samples, *output_shape).
        dtype: of the model's output tensor, as in ``int8``.
        device: name of the device, for messages.
        model: name of the model, for messages.

    Raises:
        MalformedError: shape, dtype or size are others, or it is no .npy file.
        DeployError: an output is no finite number.
    """
    import numpy as np

    where, program = f"device {device}", f"the runner of {model}"
    try:
        found = _header(path)
    except Exception as error:  # numpy's parser: ValueError, SyntaxError, EOFError and more
        raise malformed(where, program, f"its outputs are no .npy file: {error}") from error
    wanted = f"{shape} of {np.dtype(dtype)}"
    if found != wanted:
        raise malformed(where, program, f"outputs of shape {found} instead of {wanted}")
    outputs: NDArray[Any] = np.load(path, allow_pickle=False)
    if not np.isfinite(outputs).all():
        raise DeployError(
            f"{model} answers on device {device} with values that are no finite numbers",
            hint="the number format there may be too narrow: try another recipe",
        )
    return outputs


def _header(path: Path) -> str:
    """Return shape and dtype that a .npy file states, and what speaks against it."""
    import numpy as np
    from numpy.lib import format as npy

    with path.open("rb") as file:
        major, _ = npy.read_magic(file)
        read = npy.read_array_header_1_0 if major == 1 else npy.read_array_header_2_0
        shape, fortran, dtype = read(file, max_header_size=HEADER_MAX_BYTES)
        data_bytes = path.stat().st_size - file.tell()
    stated = f"{shape} of {dtype if dtype.isnative else dtype.str}"
    if fortran:
        return f"{stated} in Fortran's order"
    size = dtype.itemsize * int(np.prod(shape, dtype=object))
    return stated if data_bytes == size else f"{stated} in {data_bytes} bytes"
