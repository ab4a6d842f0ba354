"""From a float network to a .tflite, by the technique that a recipe's `quantize` names."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from edgeflow.compress.apart import quantized_apart
from edgeflow.compress.form import flatbuffer_form
from edgeflow.compress.integer import require_integer
from edgeflow.compress.same import require_close, require_exact, samples_for
from edgeflow.compress.source import Source
from edgeflow.config.recipe import CALIBRATED, INT8, Recipe
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, EdgeflowError

FROM_FLOAT_TFLITE = "edgeflow.compress.ptq.build"


def convert(name: str, source: Source, dataset: DatasetView, recipe: Recipe) -> bytes:
    """Return the .tflite that TensorFlow's converter makes.

    Raises:
        CompileError: it rejects the network.
    """
    calibration = dataset.tensors("calibration") if recipe.quantize in CALIBRATED else None
    return converted(name, source, recipe, calibration)


def converted(name: str, source: Source, recipe: Recipe, calibration: Tensors | None) -> bytes:
    """Return the .tflite for samples that are at hand; see `convert`."""
    quantize = recipe.quantize
    technique = importlib.import_module(f"edgeflow.compress.quantize.{quantize.replace('-', '_')}")
    with _converting(name, quantize):
        flatbuffer: bytes = technique.convert(source, recipe, calibration)
    return flatbuffer


def convert_float(name: str, source: Source, dataset: DatasetView, recipe: Recipe) -> bytes:
    """Return the float .tflite that a recipe starts from.

    Raises:
        CompileError: the converter rejects the network, or makes another one of it.
    """
    made = convert(name, source, dataset, Recipe())
    samples = samples_for(dataset, recipe)
    step = "the conversion to a float .tflite"
    with running(name, "none"):
        require_exact(name, step, source.form(), flatbuffer_form(made), samples)
    return made


def quantized(
    name: str, source: Source, dataset: DatasetView, recipe: Recipe, float_model: bytes
) -> tuple[bytes, dict[str, object]]:
    """Do what `quantized_here` does, in a process of its own where that may end the process."""
    # What the quantizer crashes on is what it runs for the ranges: loops.
    may_crash = recipe.quantize in CALIBRATED and bool(source.loops())
    run = quantized_apart if may_crash else quantized_here
    return run(name, source, dataset, recipe, float_model)


def quantized_here(
    name: str, source: Source, dataset: DatasetView, recipe: Recipe, float_model: bytes
) -> tuple[bytes, dict[str, object]]:
    """Return the recipe's model, and facts of how it came about.

    Args:
        name: model and recipe, for messages.
        source: the network, after all training.
        dataset: with the parts that the recipe reads.
        recipe: says what to make.
        float_model: the same network as float .tflite.

    Raises:
        CompileError: the network cannot be converted, or is not integer where it should be.
    """
    facts: dict[str, object] = {}
    if recipe.quantize == "none":
        flatbuffer = float_model
    elif recipe.from_float_tflite():
        own_ranges = importlib.import_module(FROM_FLOAT_TFLITE).convert
        with _converting(name, recipe.quantize):
            flatbuffer, facts = own_ranges(float_model, recipe, dataset)
    else:
        flatbuffer = convert(name, source, dataset, recipe)
    if recipe.quantize in INT8 and recipe.keep_float is None:
        require_integer(name, flatbuffer, recipe.quantize)
    # Training with rounding moves the weights: what it left is the network before rounding.
    before = source.form() if recipe.quantize == "qat-int8" else flatbuffer_form(float_model)
    step, samples = f"quantize: {recipe.quantize}", samples_for(dataset, recipe)
    with running(name, recipe.quantize):
        require_close(name, step, before, flatbuffer_form(flatbuffer), samples)
    return flatbuffer, facts


@contextmanager
def running(name: str, quantize: str) -> Iterator[None]:
    """Say what it means that LiteRT cannot run a model that was just converted."""
    try:
        yield
    except RuntimeError as error:
        form = "the float form of " if quantize == "none" else ""
        tell = "" if form else "; try `quantize: none` to tell"
        look = "look for extreme weights or samples, and for layers whose outputs are all 0"
        raise CompileError(
            f"LiteRT cannot run what the converter made of {form}{name}: {str(error).strip()}",
            hint=f"{look}{tell}",
        ) from error


@contextmanager
def _converting(name: str, quantize: str) -> Iterator[None]:
    try:
        yield
    except EdgeflowError:
        raise
    except Exception as error:  # TensorFlow's converter raises many kinds, all with one meaning
        if quantize == "none":  # what recipes start from, whatever they say
            raise CompileError(
                f"the float form of {name} cannot be converted to .tflite: {_first_line(error)}",
                hint="build the network of layers that TensorFlow Lite has operators for",
            ) from error
        raise CompileError(
            f"{name} cannot be converted with quantize: {quantize}: {_first_line(error)}",
            hint="an operator may have no kernel of that type; try `quantize: none` to tell",
        ) from error


def _first_line(error: Exception) -> str:
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
