"""The .tflite that a recipe makes of a network, but before anything is trained.

Weights and ranges are random, so it computes nothing of use; its operators and its sizes are those
that the trained one will have.
"""

from typing import Any

from edgeflow.compress.channels.remove import remove_channels
from edgeflow.compress.conversion import converted
from edgeflow.compress.source import FloatModel
from edgeflow.compress.unroll import unrolled
from edgeflow.config.recipe import INT8, Recipe
from edgeflow.dataset.tensors import INPUT, Tensors, numbered

_SAMPLES = 2


def rehearse(title: str, keras: Any, network: Any, recipe: Recipe) -> bytes | None:
    """Return the .tflite; None where that takes the step itself.

    That is where the quantizer might crash, and where layers stay in float, which what was trained
    decides.

    Args:
        title: model and recipe, for messages.
        keras: the Keras module that made the network.
        network: untrained; it is left as it is.
        recipe: of `ptq-int8` and `qat-int8` the operators are the same.

    Raises:
        CompileError: no channels can be removed, or the converter rejects the network.
    """
    if recipe.keep_float:
        return None
    if recipe.prune_channels:
        network = remove_channels(keras, network, recipe.prune_channels.share).model
    source = FloatModel(unrolled(keras, network))
    if source.loops():
        return None
    return converted(title, source, _alike(recipe), _samples(network))


def _alike(recipe: Recipe) -> Recipe:
    """Return a recipe without training that makes the same operators."""
    if recipe.quantize == "hgq":
        return Recipe()  # its numbers are float32; what rounds them is not of the network
    if recipe.quantize not in INT8:
        return Recipe(quantize=recipe.quantize)
    # What was trained with rounding has one scale for a whole dense layer.
    dense_scales = recipe.dense_scales if recipe.quantize == "ptq-int8" else "per-tensor"
    return Recipe(quantize="ptq-int8", io=recipe.io, dense_scales=dense_scales)


def _samples(network: Any) -> Tensors:
    import numpy as np

    rng = np.random.default_rng(0)
    names = numbered(INPUT, len(network.inputs))
    shapes = [(_SAMPLES, *tensor.shape[1:]) for tensor in network.inputs]
    arrays = [rng.standard_normal(shape, np.float32) for shape in shapes]
    return Tensors(dict(zip(names, arrays, strict=True)))
