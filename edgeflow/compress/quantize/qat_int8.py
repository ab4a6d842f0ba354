"""Integers from a network that was trained with rounding: scales come from the training."""

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeflow.compress.source import Source
    from edgeflow.config.recipe import Recipe


def convert(model: "Source", recipe: "Recipe", calibration: Any) -> bytes:  # noqa: ARG001
    """Return the int8 .tflite of a network that the stage `qat` wrapped."""
    import tensorflow as tf

    converter = model.converter()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Not TFLITE_BUILTINS_INT8: the converter would then ask for a representative dataset.
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(recipe.io)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        flatbuffer: bytes = converter.convert()
    return flatbuffer
