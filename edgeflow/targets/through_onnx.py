"""What targets share whose compilers read the network as ONNX."""

from collections.abc import Iterable

from edgeflow.config.tflitefile import Operator
from edgeflow.exported.operators import CONVERTED
from edgeflow.targets.base import Lint
from edgeflow.targets.lint import by_name


def without_form(operators: Iterable[Operator], opset: int) -> list[Lint]:
    """Return the findings about operators that ONNX cannot express.

    Args:
        operators: of a .tflite.
        opset: version of ONNX's operators that the network is written in.
    """
    unknown = [one for one in operators if one.name not in CONVERTED]
    return by_name(unknown, "warning", f"ONNX (opset {opset}) has no form of this operator")
