"""Quantizes a .tflite without the network that it was made from."""

from typing import Any


def flatbuffer_converter(flatbuffer: bytes) -> Any:
    """Return a `tf.lite` converter that starts from a float .tflite instead of a network.

    It does what TensorFlow's converter does once it has made the float .tflite: post-training
    quantization with a calibration set. Float16 and dynamic range quantization happen before
    that, so its `convert` raises ValueError where the settings ask for them.
    """
    from tensorflow.lite.python import lite

    class Converter(lite.TFLiteConverterBaseV2):  # type: ignore[misc]  # untyped
        def convert(self) -> bytes:
            if not self.optimizations:
                return flatbuffer
            if self.representative_dataset is None:
                raise ValueError("a .tflite can only be quantized with a calibration set")
            flags = lite._build_conversion_flags(**self._get_base_converter_args())
            mode = lite.QuantizationMode(
                self.optimizations, self.target_spec, self.representative_dataset, graph_def=None
            )
            quantized: bytes = self._optimize_tflite_model(
                flatbuffer, mode, flags.debug_options, quant_io=self.experimental_new_quantizer
            )
            return bytes(quantized)

    return Converter()
