"""Post-training full integer quantization: int8 weights, activations, input and output.

Scheme: Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", arXiv 1712.05877.
"""

import warnings
from typing import TYPE_CHECKING

from edgeflow.dataset.tensors import Tensors

if TYPE_CHECKING:
    from edgeflow.compress.source import Source
    from edgeflow.config.recipe import Recipe


def convert(model: "Source", recipe: "Recipe", calibration: Tensors) -> bytes:
    """Return the int8 .tflite.

    Args:
        model: the trained network.
        recipe: gives the type of input and output, and the scales of dense layers.
        calibration: float32, preprocessed; the ranges of activations come from it.
    """
    import tensorflow as tf

    converter = model.converter()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: iter(calibration)
    # An operator without an int8 kernel is an error here, not a silent float island.
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = (
        recipe.dense_scales == "per-tensor"
    )
    converter.inference_input_type = converter.inference_output_type = tf.as_dtype(recipe.io)
    with warnings.catch_warnings():
        # It misses an option of the converter before MLIR; the representative dataset is that.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        flatbuffer: bytes = converter.convert()
    return flatbuffer
