"""Int8 ONNX with pairs of QuantizeLinear and DequantizeLinear (QDQ), by onnxruntime."""

import tempfile
from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.exported.ranges import Ranges

TOOLS = ("onnx", "onnxruntime")
"""Distributions whose versions shape the file."""


def quantize(
    model: Path, out: Path, ranges: Ranges, *, reduce_range: bool = False, symmetric: bool = False
) -> None:
    """Write an int8 network, the same bytes for the same input.

    Weights are per channel, with a zero point of 0. Inputs and outputs stay in float.

    Args:
        model: .onnx in float32.
        out: the .onnx file to write.
        ranges: of all its activations.
        reduce_range: keep weights to 7 bits.
        symmetric: give activations a zero point of 0 too, and a scale of the larger end / 127.

    Raises:
        CompileError: onnxruntime cannot quantize it.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    network = onnx.load(model)
    add_pre_process_metadata(network)  # it is in that form: normalization is part of the weights
    with tempfile.TemporaryDirectory() as folder:
        try:
            quantize_static(
                network,
                out,
                per_channel=True,
                reduce_range=reduce_range,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                extra_options={"ActivationSymmetric": symmetric},
                calibration_cache_path=_cached(ranges, Path(folder) / "ranges.json"),
            )
        except (ValueError, RuntimeError, KeyError) as error:
            raise CompileError(
                f"onnxruntime cannot quantize the network: {error}",
                hint="use a recipe without int8 for this target",
            ) from error


def _cached(ranges: Ranges, path: Path) -> Path:
    """Write ranges where onnxruntime reads them instead of running a calibration set itself."""
    import numpy as np
    from onnxruntime.quantization.calibrate import (
        CalibrationMethod,
        TensorsData,
        save_tensors_data,
    )

    ends = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    save_tensors_data(TensorsData(CalibrationMethod.MinMax, ends), path)
    return path
