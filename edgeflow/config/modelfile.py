"""Model files that users bring: their kinds, and which recipes each kind can go through."""

import json
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from edgeflow.config.recipe import Recipe

Kind = Literal["keras", "saved_model", "onnx", "tflite"]

KINDS: dict[str, Kind] = {
    ".keras": "keras",
    ".h5": "keras",
    ".onnx": "onnx",
    ".tflite": "tflite",
}
"""Kind of a file by its suffix; a SavedModel is a folder."""
FORMS = "model.keras, model.h5, model.onnx, model.tflite, or a SavedModel's folder"
SAVED_MODEL = "saved_model.pb"

FLATBUFFER_QUANTIZE = frozenset({"none", "ptq-int8", "ptq-int16x8"})
"""Values of `quantize` that need no more than a float .tflite."""


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a model file or folder, or None if it is none."""
    if path.is_dir():
        return "saved_model" if (path / SAVED_MODEL).is_file() else None
    return KINDS.get(path.suffix)


def files_of(path: Path) -> list[Path]:
    """Return the files of a model: itself and, of ONNX, its weights, or all below its folder."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    weights = path.with_name(f"{path.name}.data")  # where PyTorch's exporter puts them
    return [path, weights] if weights.is_file() else [path]


def imported_name(path: Path) -> str:
    """Return the name of what an import makes of a model file."""
    if trains(path):
        return "model.h5"
    return "model.tflite" if kind_of(path) == "tflite" else "graph.pb"


def trains(path: Path) -> bool:
    """Return whether stages of a recipe can train a model file on: it is one of Keras 2."""
    return kind_of(path) == "keras" and keras_version(path) < 3


def keras_version(path: Path) -> int:
    """Return the major version of Keras that wrote a .keras file; 2 where a file does not say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return int(json.loads(archive.read("metadata.json"))["keras_version"].split(".")[0])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return 2


def misfit(path: Path, recipe: Recipe) -> str:
    """Return why a recipe cannot be applied to a model file; empty if it can."""
    stages = ", ".join(recipe.stages())
    if stages and not trains(path):
        return f"{path} cannot be trained on, and the recipe trains: {stages}"
    if kind_of(path) != "tflite" or recipe == Recipe():
        return ""
    given = quantization(path)
    if given:
        return f"{path} is quantized already ({given['quantize']}): only an empty recipe fits"
    if recipe.quantize not in FLATBUFFER_QUANTIZE:
        return f"quantize: {recipe.quantize} needs more than a .tflite"
    return ""


def quantization(path: Path) -> dict[str, str]:
    """Return how a .tflite is quantized, as keys of a recipe; empty for float, or no .tflite."""
    try:
        status = path.stat()
    except OSError:
        return {}
    return dict(_quantization(path, status.st_mtime_ns, status.st_size))


@cache
def _quantization(path: Path, mtime_ns: int, size: int) -> tuple[tuple[str, str], ...]:  # noqa: ARG001
    # The arguments beside the path make another file of the same name another entry.
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        interpreter = Interpreter(
            model_content=path.read_bytes(),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    except (RuntimeError, ValueError):  # no .tflite; the import step says why
        return ()
    ends = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    return tuple(_described(interpreter.get_tensor_details(), ends))


def _described(tensors: list[dict[str, Any]], ends: list[dict[str, Any]]) -> Iterator[Any]:
    """Yield the keys of the recipe that makes such tensors."""
    outer = {end["index"] for end in ends}
    inner = {_dtype(tensor) for tensor in tensors if tensor["index"] not in outer}
    if not inner & {"int8", "uint8", "float16"}:
        return
    if "float32" in inner:
        yield "quantize", "fp16" if "float16" in inner else "dynamic"
        return
    dtype = _dtype(ends[0])
    yield "quantize", "ptq-int16x8" if "int16" in inner | {dtype} else "ptq-int8"
    if dtype == "uint8":
        yield "io", "uint8"


def _dtype(tensor: dict[str, Any]) -> str:
    import numpy as np

    return str(np.dtype(tensor["dtype"]))
