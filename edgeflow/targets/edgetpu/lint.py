"""What the compiler for the Edge TPU will leave on the CPU, and why."""

from pathlib import Path

from edgeflow.targets.base import Lint
from edgeflow.targets.edgetpu.options import EdgeTPUOptions
from edgeflow.targets.lint import by_name, operators_of

_NAMES = """
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D EXPAND_DIMS FULLY_CONNECTED
L2_NORMALIZATION LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL PACK PAD PRELU QUANTIZE REDUCE_MAX
REDUCE_MIN RELU RELU6 RELU_N1_TO_1 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RSQRT SLICE
SOFTMAX SPACE_TO_DEPTH SPLIT SQUARED_DIFFERENCE SQUEEZE STRIDED_SLICE SUB SUM TANH TRANSPOSE
TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM
"""
SUPPORTED = frozenset(_NAMES.split())


def findings(model: Path, options: EdgeTPUOptions) -> list[Lint]:  # noqa: ARG001
    """Return what is said of a .tflite; nothing of a file that is none."""
    unknown = [one for one in operators_of(model) if one.custom or one.name not in SUPPORTED]
    return by_name(unknown, "warning", "the Edge TPU has no such operator")
