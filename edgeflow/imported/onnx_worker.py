"""Converts an ONNX file with onnx2tf: a worker, in a process of its own."""

import contextlib
import io
import itertools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError
from edgeflow.imported import onnx_graph, shapes
from edgeflow.imported.ends import require_one_sample
from edgeflow.imported.exchange import read_samples, write_outputs
from edgeflow.text import clean

_NOISE = ("The trace log", "input_onnx_file_path", "onnx_op_name", "Read this", "Alternatively")
OLDEST = 11
"""onnx2tf reads this version of the operators and newer ones."""
Layout = tuple[bool, tuple[int, ...]]
"""Whether the channels stand first, and the input's sizes without the batch."""


def work(job: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a SavedModel with channels last, and ONNX Runtime's outputs for some samples.

    Args:
        job: ``source`` (the .onnx file), ``dataset`` (names of its inputs), ``input`` and
            ``output`` (names, see `Request`).
        folder: holds samples, see `exchange`, channels last; gets saved_model/ and outputs.

    Returns:
        Beside what `conversion` asks for, ``first``: whether the file's channels stand before
        height and width.

    Raises:
        CompileError: the file cannot be read or converted, or does not fit.
    """
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import onnx
    import onnx.inliner

    samples = read_samples(job["dataset"], folder)
    model = onnx.inliner.inline_local_functions(onnx.load(job["source"]))
    names = onnx_graph.select(model, job["input"], job["output"], job["dataset"])
    model, ways, outputs = _bound(model, samples)
    write_outputs(outputs, folder)
    inputs = _write(model, folder / "model.onnx")
    keys = [f"output_{place}" for place in range(len(names))]  # as onnx2tf calls several
    kept = [name for name, (first, _) in zip(inputs, ways, strict=True) if not first]
    _convert(folder, kept)
    first = any(first for first, _ in ways)
    return {"first": first, "outputs": names, "keys": keys, "inputs": inputs}


def _bound(model: Any, samples: Tensors) -> tuple[Any, tuple[Layout, ...], list[Any]]:
    """Return the model with static sizes, the first layout of each input that runs, and outputs."""
    import onnx

    arrays = samples.arrays.values()
    ways = [
        layouts(onnx_graph.sizes(value), array.shape[1:])
        for value, array in zip(model.graph.input, arrays, strict=True)
    ]
    onnx_graph.take_float(model)
    reason = ""
    for chosen in itertools.product(*ways):
        candidate = onnx.ModelProto.FromString(model.SerializeToString())
        onnx_graph.bind(candidate, [(1, *sizes) for _, sizes in chosen])
        try:
            return candidate, chosen, _outputs(candidate, chosen, samples)
        except CompileError:
            raise
        except Exception as error:  # ONNX Runtime raises many kinds
            reason = reason or clean(str(error)).strip()[:500]
    shapes = " and ".join(str(array.shape[1:]) for array in arrays)
    raise CompileError(
        f"ONNX Runtime cannot run it for samples of shape {shapes}: {reason}",
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


def _outputs(model: Any, ways: Sequence[Layout], samples: Tensors) -> list[Any]:
    """Return the outputs of ONNX Runtime by position, float32."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    providers = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    names = [value.name for value in session.get_inputs()]
    arrays = {
        name: (np.moveaxis(array, -1, 1) if first else array).reshape(-1, 1, *sizes)
        for name, array, (first, sizes) in zip(names, samples.arrays.values(), ways, strict=True)
    }
    rows = [
        session.run(None, {name: array[row] for name, array in arrays.items()})
        for row in range(len(samples))
    ]
    require_one_sample([one.name for one in session.get_outputs()], [y.shape for y in rows[0]])
    return [np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True)]


def _write(model: Any, path: Path) -> list[str]:
    """Write the model as onnx2tf can read it; return the names of its inputs."""
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
    return [str(value.name) for value in simple.graph.input]


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
