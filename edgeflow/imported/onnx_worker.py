"""Converts an ONNX file with onnx2tf: a program of its own, in the toolchain `onnx`.

It imports nothing of edgeflow: its interpreter has other packages.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(source: str, samples: str, out: str) -> None:
    """Write a SavedModel with channels last, and ONNX Runtime's outputs for some samples.

    Args:
        source: the .onnx file.
        samples: .npy of float32 (n, *input_shape), channels last.
        out: folder for saved_model/ and outputs.npy.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import onnx

    model = onnx.load(source)
    name, shape = _input(model.graph)
    x = np.load(samples)
    first = _fits(shape, (x.shape[-1], *x.shape[1:-1]))
    if not first and not _fits(shape, x.shape[1:]):
        sys.exit(f"it takes samples of shape {shape}, the dataset has {x.shape[1:]}")
    copy = Path(out) / "model.onnx"  # onnx2tf simplifies the file in its place
    onnx.save(model, copy)
    given = np.ascontiguousarray(np.moveaxis(x, -1, 1)) if first else x
    np.save(Path(out) / "outputs.npy", _run(str(copy), name, given))
    _convert(copy, Path(out) / "saved_model", [] if first else [name])


def _input(graph: Any) -> tuple[str, list[int]]:
    """Return name and shape of the one input, without the batch; 0 for a size that is not fixed."""
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if (len(inputs), len(graph.output)) != (1, 1):
        sys.exit(f"it has {len(inputs)} inputs and {len(graph.output)} outputs, not one of each")
    sizes = [dimension.dim_value for dimension in inputs[0].type.tensor_type.shape.dim]
    return inputs[0].name, sizes[1:]


def _fits(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    return len(shape) == len(wanted) and all(
        size in (0, want) for size, want in zip(shape, wanted, strict=True)
    )


def _run(path: str, name: str, x: Any) -> Any:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in x])


def _convert(source: Path, out: Path, as_they_are: list[str]) -> None:
    import numpy as np
    import onnx2tf.onnx2tf

    # It would download images to try colour networks on.
    images = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    onnx2tf.onnx2tf.download_test_image_data = lambda: images
    onnx2tf.convert(
        input_onnx_file_path=str(source),
        output_folder_path=str(out),
        batch_size=1,
        keep_nwc_or_nhwc_or_ndhwc_input_names=as_they_are,
        output_signaturedefs=True,
        non_verbose=True,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
