"""`ptq-int8` with ranges of its own, or with layers that stay in float."""

from edgeflow.compress.ptq.flatbuffer import calibrate, to_int8
from edgeflow.compress.ptq.selective import Selection
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.view import DatasetView


def convert(
    float_model: bytes, recipe: Recipe, dataset: DatasetView
) -> tuple[bytes, dict[str, object]]:
    """Return the int8 .tflite, and what stayed in float as facts of the manifest.

    Args:
        float_model: float32 .tflite.
        recipe: gives the ranges, the layers that stay in float, the type of input and output.
        dataset: with the parts that the recipe reads.

    Raises:
        CompileError: a layer to keep in float is not there, or another one stayed in float.
    """
    samples = dataset.tensors("calibration")
    calibrated = calibrate(float_model, samples, recipe.calibration)
    if recipe.keep_float is None:
        return to_int8(calibrated, recipe.io, dense_scales=recipe.dense_scales), {}
    selection = Selection(float_model, calibrated, samples, recipe.dense_scales)
    if recipe.keep_float.layers:
        selection.keep_named(recipe.keep_float.layers)
    if recipe.keep_float.worst:
        selection.keep_worst(recipe.keep_float, dataset)
    return selection.model, {"kept_float": selection.kept}
