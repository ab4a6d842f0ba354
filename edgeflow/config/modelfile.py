"""Model files that users bring: their kinds, and which recipes each kind can go through."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from edgeflow.config.onnxfile import external_weights
from edgeflow.config.recipe import Recipe
from edgeflow.config.tflitefile import CONVERSIONS, Tflite, read_tflite

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
    """Return the existing files of a model.

    That is the file and, of ONNX, the files that it names for its weights; of a SavedModel all
    below its folder.
    """
    if path.is_dir():
        # not rglob: it passes over linked folders
        walked = os.walk(path, followlinks=True)
        below = (Path(folder, name) for folder, _, names in walked for name in names)
        return sorted(file for file in below if file.is_file())
    weights = external_weights(path) if kind_of(path) == "onnx" else []
    named = [path.parent / each.location for each in weights if each.is_inside()]
    return [path, *(file for file in named if file.is_file())]


def imported_name(path: Path) -> str:
    """Return the name of what an import makes of a model file."""
    if trains(path):
        return "model.h5"
    return "model.tflite" if kind_of(path) == "tflite" else "graph.pb"


def trains(path: Path) -> bool:
    """Return whether stages of a recipe can train a model file on: it is one of Keras 2."""
    return kind_of(path) == "keras" and keras_version(path) < 3


def keras_version(path: Path) -> int:
    """Return the major version of Keras that wrote a file; 2 where the file does not say."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text = json.loads(archive.read("metadata.json"))["keras_version"]
        else:
            import h5py

            with h5py.File(path) as file:
                text = file.attrs["keras_version"]
        return int(str(text).split(".")[0])
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile):
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
    found = read_tflite(path) if path.is_file() else None
    return dict(_described(found)) if found else {}


def _described(file: Tflite) -> Iterator[tuple[str, str]]:
    """Yield the keys of the recipe that makes such tensors."""
    outer = {*file.inputs, *file.outputs}
    inner = {tensor.dtype for index, tensor in enumerate(file.tensors) if index not in outer}
    if not inner:  # of a single operator without weights
        inner = {tensor.dtype for tensor in file.tensors}
        inner = set() if "float32" in inner else inner
    if not inner & {"int8", "uint8", "float16"}:
        return
    # By operators: an LSTM of int8 lists float32 tensors that nothing reads, and has int16 cells.
    computed = [one.dtypes for one in file.operators if one.name not in CONVERSIONS]
    if "float32" in inner and any("float32" in dtypes for dtypes in computed):
        yield "quantize", "fp16" if "float16" in inner else "dynamic"
        return
    dtype = file.tensors[file.inputs[0]].dtype
    wide = dtype == "int16" or any("int16" in one and "int8" not in one for one in computed)
    yield "quantize", "ptq-int16x8" if wide else "ptq-int8"
    if dtype == "uint8":
        yield "io", "uint8"
