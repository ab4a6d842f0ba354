"""A float .tflite to integers, without the Keras model it came from.

The converter's own steps, one by one: for equal ranges the outputs are those of its whole way.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.compress.ptq.ranges import Range, activation_ranges
from edgeflow.dataset.tensors import Tensors

if TYPE_CHECKING:
    from edgeflow.config.recipe import Calibration, DenseScales


def calibrate(flatbuffer: bytes, samples: Tensors, calibration: "Calibration") -> bytes:
    """Return a float .tflite that holds the range of each activation.

    Args:
        flatbuffer: float32 .tflite.
        samples: float32, preprocessed.
        calibration: how a range follows from the values.
    """
    calibrated: bytes = _calibrator(flatbuffer).calibrate(_feed(samples))
    if calibration.method == "minmax":
        return calibrated
    return _with_ranges(calibrated, activation_ranges(flatbuffer, samples, calibration))


def to_int8(
    calibrated: bytes,
    io: str = "int8",
    keep: Sequence[str] = (),
    dense_scales: "DenseScales" = "per-channel",
) -> bytes:
    """Return a calibrated .tflite in int8.

    Args:
        calibrated: float32 .tflite with ranges.
        io: type of input and output, ``int8`` or ``uint8``.
        keep: output tensors whose operators stay in float.
        dense_scales: of the weights of dense layers.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    dtype = tf.as_dtype(io)
    quantized: bytes = mlir_quantize(
        calibrated,
        input_data_type=dtype,
        output_data_type=dtype,
        denylisted_nodes=list(keep),
        disable_per_channel_for_dense_layers=dense_scales == "per-tensor",
    )
    return quantized


def to_int16x8(flatbuffer: bytes, samples: Tensors) -> bytes:
    """Return a float .tflite with int8 weights and int16 activations, input and output.

    Args:
        flatbuffer: float32 .tflite.
        samples: float32, preprocessed; the ranges of activations come from it.
    """
    import tensorflow as tf

    quantized: bytes = _calibrator(flatbuffer).calibrate_and_quantize(
        _feed(samples),
        tf.int16,
        tf.int16,
        allow_float=False,
        activations_type=tf.int16,
        bias_type=tf.int64,
    )
    return quantized


def _calibrator(flatbuffer: bytes) -> Any:
    from tensorflow.lite.python.optimize import calibrator

    # Without the tensors inside of fused operators recurrent layers have no ranges.
    return calibrator.Calibrator(calibrator.add_intermediate_tensors(flatbuffer))


def _feed(samples: Tensors) -> Any:
    return lambda: iter(samples)


def _with_ranges(calibrated: bytes, ranges: Mapping[str, Range]) -> bytes:
    """Replace the ranges of the named tensors of the main graph."""
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(calibrated))
    for tensor in model.subgraphs[0].tensors:
        found = ranges.get(tensor.name.decode())
        if found is not None and tensor.quantization is not None:
            tensor.quantization.min, tensor.quantization.max = [found.low], [found.high]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
