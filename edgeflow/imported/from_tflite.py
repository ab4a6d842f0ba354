"""Imports .tflite files, float ones and those that are quantized already."""

from pathlib import Path
from typing import Any

from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.modelfile import quantization
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.model import Imported, require_fit, require_single


def load(name: str, source: Path, dataset: DatasetView, out: Path) -> Imported:
    """Write model.tflite, with a static batch of 1.

    Raises:
        CompileError: the file cannot be read or run, or does not fit.
    """
    given = source.read_bytes()
    try:
        interpreter = _interpreter(given)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        require_single(name, len(inputs), len(outputs))
        shape = [int(size) for size in inputs[0]["shape_signature"]]
        require_fit(name, shape, outputs[0]["shape_signature"].tolist(), dataset.facts)
        flatbuffer = given if _is_static(interpreter) else _with_batch_1(given, interpreter)
        _interpreter(flatbuffer).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise CompileError(
            f"{name}: LiteRT cannot load {source}: {str(error).strip()}",
            hint="export it with a batch of 1, of LiteRT's built-in operators alone",
        ) from error
    (out / FLATBUFFER_FILE).write_bytes(flatbuffer)
    return Imported(predict=lambda x: host_outputs(flatbuffer, x), quantized=quantization(source))


def _interpreter(flatbuffer: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    return Interpreter(
        model_content=flatbuffer,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def _is_static(interpreter: Any) -> bool:
    """Return whether the batch is 1 and no tensor's size is left open."""
    tensors = interpreter.get_tensor_details()
    return interpreter.get_input_details()[0]["shape"][0] == 1 and not any(
        (tensor["shape_signature"] < 0).any() for tensor in tensors
    )


def _with_batch_1(flatbuffer: bytes, interpreter: Any) -> bytes:
    """Return the .tflite with the sizes that its tensors have for one sample."""
    import numpy as np
    from ai_edge_litert.tools import flatbuffer_utils

    source = interpreter.get_input_details()[0]
    shape = (1, *source["shape"][1:])
    interpreter.resize_tensor_input(source["index"], shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source["index"], np.zeros(shape, source["dtype"]))
    interpreter.invoke()  # some sizes are only known now
    sizes = {t["index"]: t["shape"].tolist() for t in interpreter.get_tensor_details()}
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        tensor.shape, tensor.shapeSignature = sizes[index], None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
