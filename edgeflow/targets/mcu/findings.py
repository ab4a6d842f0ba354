"""What is said of a network before it is compiled."""

from pathlib import Path

from edgeflow.config.tflitefile import CONVERSIONS
from edgeflow.errors import CompileError
from edgeflow.targets.base import Lint
from edgeflow.targets.lint import by_name, operators_of
from edgeflow.targets.mcu.layers import OPERATORS, attempt, instead_of
from edgeflow.targets.mcu.options import McuOptions
from edgeflow.targets.mcu.reading import read_graph
from edgeflow.targets.mcu.variants import Variant, settings_for
from edgeflow.text import excerpt


def findings(model: Path, options: McuOptions) -> list[Lint]:
    """Return what is wrong with a float or int8 .tflite for this target.

    Of a float network the names of the operators are judged: the int8 ones have the same.
    """
    operators = operators_of(model)
    if not any(dtype.startswith("int8") for one in operators for dtype in one.dtypes):
        unknown = [
            one for one in operators if one.name not in OPERATORS and one.name not in CONVERSIONS
        ]
        advice = instead_of(*(one.name for one in unknown))
        return by_name(unknown, "warning", f"has no kernel: {advice}")
    variant = Variant(mode="specialized", optimize="O2", simd=options.hardware.family.dsp)
    try:
        _, refused = attempt(read_graph(model), settings_for(options, variant))
    except CompileError as error:
        places = tuple(one.place for one in operators if one.place is not None)
        return [Lint(severity="warning", place="model", message=error.message, operators=places)]
    return [
        Lint(
            severity="warning",
            place=excerpt(one.place, 160),
            message=f"{one.reason}: {one.advice}",
            operators=(one.index,),
        )
        for one in refused
    ]
