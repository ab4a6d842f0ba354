"""What Vela may have changed in a model: nothing but which operators there are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgeflow.config.tflitefile import Operator
from edgeflow.errors import CompileError

NPU = "ethos-u"
"""Name of the operator that the NPU runs."""
_HINT = "report it with the model: Vela's output is not what it was given"


def left_to_cpu(before: Sequence[Operator], after: Sequence[Operator]) -> list[Operator]:
    """Return the operators of a model that are left to the CPU in what Vela made of it.

    Raises:
        CompileError: there are others.
    """
    known = {(operator.name, operator.output) for operator in before}
    left = [operator for operator in after if not (operator.custom and operator.name == NPU)]
    if strange := [one for one in left if (one.name, one.output) not in known]:
        names = ", ".join(sorted({one.name for one in strange}))
        raise CompileError(
            f"Vela wrote operators that the model does not have: {names}", hint=_HINT
        )
    return left


def require_same_ends(before: Path, after: Path) -> list[float]:
    """Check that inputs and outputs are what they were; return the scales of the outputs.

    Raises:
        CompileError: shape, type, scale or zero point of one differs, or the file cannot be read.
    """
    from ai_edge_litert.interpreter import Interpreter

    from edgeflow.console import native_quiet

    try:
        with native_quiet():
            ends = [_ends(Interpreter(str(path))) for path in (before, after)]
    except (RuntimeError, ValueError) as error:
        raise CompileError(f"LiteRT cannot read what Vela made: {error}", hint=_HINT) from error
    if ends[0] != ends[1]:
        raise CompileError(
            f"Vela changed inputs or outputs of the model: {ends[0]} became {ends[1]}", hint=_HINT
        )
    return [scale for _, _, scale, _ in ends[1][1]]


def _ends(interpreter: Any) -> list[list[tuple[list[int], str, float, int]]]:
    sides = (interpreter.get_input_details(), interpreter.get_output_details())
    return [[_end(one) for one in side] for side in sides]


def _end(details: Any) -> tuple[list[int], str, float, int]:
    scale, zero_point = details["quantization"]
    shape = [int(size) for size in details["shape"]]
    return shape, details["dtype"].__name__, float(scale), int(zero_point)
