"""Converts an ONNX file with onnx2tf: a worker, in a process of its own."""

import contextlib
import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.imported import onnx_graph, shapes
from edgeflow.text import clean

_NOISE = ("The trace log", "input_onnx_file_path", "onnx_op_name", "Read this", "Alternatively")
OLDEST = 11
"""onnx2tf reads this version of the operators and newer ones."""
Layout = tuple[bool, tuple[int, ...]]
"""Whether the channels stand first, and the input's sizes without the batch."""


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a SavedModel with channels last, and ONNX Runtime's outputs for some samples.

    Args:
        job: ``source`` (the .onnx file), ``input`` and ``output`` (names, or None).
        folder: holds samples.npy, float32 (n, *input_shape), channels last; gets saved_model/ and
            outputs.npy.

    Returns:
        ``first``: whether the file's channels stand before height and width.

    Raises:
        CompileError: the file cannot be read or converted, or does not fit.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy as np
    import onnx
    import onnx.inliner

    samples = np.load(folder / "samples.npy")
    model = onnx.inliner.inline_local_functions(onnx.load(job["source"]))
    onnx_graph.select(model, job["input"], job["output"])
    model, first, outputs = _bound(model, samples)
    np.save(folder / "outputs.npy", outputs)
    name = _write(model, folder / "model.onnx")
    _convert(folder, [] if first else [name])
    return {"first": first}


def _bound(model: Any, samples: Any) -> tuple[Any, bool, Any]:
    """Return the model with static sizes, in the first layout that runs, and its outputs."""
    import onnx

    declared, sample = onnx_graph.sizes(model.graph.input[0]), samples.shape[1:]
    ways = layouts(declared, sample)
    onnx_graph.take_float(model)
    reason = ""
    for first, sizes in ways:
        candidate = onnx.ModelProto.FromString(model.SerializeToString())
        onnx_graph.bind(candidate, (1, *sizes))
        try:
            return candidate, first, _outputs(candidate, first, sizes, samples)
        except Exception as error:  # ONNX Runtime raises many kinds
            reason = reason or clean(str(error)).strip()[:500]
    raise CompileError(
        f"ONNX Runtime cannot run it for samples of shape {sample}: {reason}",
        hint="export the model for samples of that size and a batch of 1",
    )


def layouts(declared: shapes.Sizes, sample: tuple[int, ...]) -> list[Layout]:
    """Return the ways to feed a sample, the likeliest one first.

    Raises:
        CompileError: there is none.
    """
    found = list(_layouts(declared, sample))
    if not found:
        raise CompileError(
            f"it takes samples of shape {shapes.told(declared)}, its dataset has {sample}",
            hint="export the model for samples of that size, or give it another dataset",
        )
    return found


def _layouts(declared: shapes.Sizes, sample: tuple[int, ...]) -> Iterator[Layout]:
    moved = shapes.first(sample)
    same_rank = [
        shape for shape in ((True, moved), (False, sample)) if len(declared) == len(sample)
    ]
    for first, shape in same_rank or [(False, sample), (True, moved)]:
        sizes = shapes.bound(declared, shape)
        if sizes is not None:
            yield first, sizes


def _outputs(model: Any, first: bool, sizes: tuple[int, ...], samples: Any) -> Any:
    """Return the outputs of ONNX Runtime, float32."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    name = session.get_inputs()[0].name
    x = np.moveaxis(samples, -1, 1) if first else samples
    rows = [session.run(None, {name: sample.reshape(1, *sizes)})[0] for sample in x]
    return np.concatenate(rows).astype(np.float32)


def _write(model: Any, path: Path) -> str:
    """Write the model as onnx2tf can read it, and return the name of its input."""
    import onnx
    import onnxsim

    default = next(each for each in model.opset_import if each.domain in ("", "ai.onnx"))
    if default.version < OLDEST:
        model = onnx.version_converter.convert_version(model, OLDEST)
    simple, _ = onnxsim.simplify(model)  # without the arithmetic on shapes, which are known now
    simple = onnx.shape_inference.infer_shapes(simple)
    onnx_graph.drop_identities(simple)
    onnx_graph.rename(simple)
    onnx.save(simple, path)
    return str(simple.graph.input[0].name)


def _convert(folder: Path, as_they_are: list[str]) -> None:
    import numpy as np
    import onnx2tf.onnx2tf

    # It would download images to try colour networks on.
    images = np.random.default_rng(0).random((20, 128, 128, 3), np.float32)
    onnx2tf.onnx2tf.download_test_image_data = lambda: images
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            onnx2tf.convert(
                input_onnx_file_path=str(folder / "model.onnx"),
                output_folder_path=str(folder / "saved_model"),
                keep_nwc_or_nhwc_or_ndhwc_input_names=as_they_are,
                not_use_onnxsim=True,  # it is simplified already
                output_signaturedefs=True,
                non_verbose=True,
            )
    except (Exception, SystemExit) as error:  # it raises many kinds, and exits
        raise CompileError(
            f"onnx2tf cannot convert it: {_reason(clean(said.getvalue())) or clean(str(error))}",
            hint="it does not have the operator in this form, or takes one axis for another, as "
            "where height or width equal a number of channels: choose an earlier `output`, another "
            "size of the samples, or export the model in another form",
        ) from error


def _reason(log: str) -> str:
    """Return the operator that onnx2tf stopped at, and why, from what it printed."""
    names = re.findall(r"onnx_op_name: *(\S+)", log)
    errors = [line.partition("ERROR:")[2].strip() for line in log.splitlines() if "ERROR:" in line]
    told = [text for text in errors if not text.startswith(_NOISE)]
    return "; ".join([*(f"at {name}" for name in names[-1:]), *told[:2]])[:500]
