"""A model file in the form that targets compile, made without any data."""

from dataclasses import dataclass
from pathlib import Path

from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.modelfile import kind_of, misfit, quantization
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.config.tflitefile import read_tflite
from edgeflow.errors import CompileError
from edgeflow.inspection.converted import WITHOUT_DATA, as_tflite

NEEDS = "profile a recipe that needs none (quantize: none, fp16 or dynamic), or a quantized .tflite"


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What a compiler gets of a model file.

    Attributes:
        model: .tflite with a static batch of 1, after the recipe.
        float_model: the same before; a copy where the file is quantized already.
        recipe: what makes such a model.
    """

    model: Path
    float_model: Path
    recipe: Recipe


def network_of(source: Path, recipe: Recipe, folder: Path) -> Network:
    """Return a model file after a recipe.

    Args:
        source: the file, or folder of a SavedModel.
        recipe: one that needs no data; an empty one for a .tflite that is quantized already.
        folder: for what is made.

    Raises:
        CompileError: the recipe needs data or does not fit, or the file cannot be converted.
    """
    needs = _data_for(recipe)
    if needs:
        raise CompileError(f"the recipe needs {needs}, and a profile has no dataset", hint=NEEDS)
    reason = misfit(source, recipe)
    if reason:
        raise CompileError(reason, hint="profile it as it is: leave `--recipe` out")
    if kind_of(source) == "tflite":
        model = _static(source, folder)
        given = Recipe.model_validate(quantization(source))
        return Network(model=model, float_model=model, recipe=given)
    quantized = recipe.quantize != "none"
    folders = [folder / name for name in ("float", *(["quantized"] if quantized else []))]
    for one in folders:
        one.mkdir()
    before = as_tflite(source, folders[0]).path
    after = as_tflite(source, folders[1], recipe.quantize).path if quantized else before
    return Network(model=after, float_model=before, recipe=recipe)


def _data_for(recipe: Recipe) -> str:
    """Return what a recipe reads of a dataset; empty if nothing."""
    if recipe.stages() or recipe.auto:
        return "samples with their truth (it trains, or judges others by them)"
    if recipe.quantize in CALIBRATED:
        return f"a calibration set (quantize: {recipe.quantize})"
    return "" if recipe.quantize in WITHOUT_DATA else f"data (quantize: {recipe.quantize})"


def _static(source: Path, folder: Path) -> Path:
    """Return a .tflite without free sizes: those of its tensors for one sample are in the file."""
    from ai_edge_litert.tools import flatbuffer_utils

    file = read_tflite(source)
    if file is None:
        raise CompileError(f"{source} is no .tflite, or damaged", hint="export it again")
    if not any(size < 0 for tensor in file.tensors for size in tensor.shape):
        return source
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(source.read_bytes()))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.shapeSignature = None
    made = folder / FLATBUFFER_FILE
    made.write_bytes(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))
    return made
