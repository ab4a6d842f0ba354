"""What is said of a network before OpenVINO compiles it for a Movidius stick."""

from pathlib import Path

from edgeflow.targets.base import Lint
from edgeflow.targets.lint import by_name, operators_of
from edgeflow.targets.myriad.network import OPSET
from edgeflow.targets.through_onnx import without_form

_NAMES = """
ABS ATAN2 CONV_3D COS CUMSUM REDUCE_PROD REVERSE_V2 SCATTER_ND SIGN SIN
"""
LACKING = frozenset(_NAMES.split())
"""By their names in LiteRT's schema: what OpenVINO 2021.4 refused to compile for the VPU, each
tried alone for both platforms."""


def findings(model: Path, platform: str) -> list[Lint]:
    """Return what is wrong with a .tflite for a platform."""
    operators = operators_of(model)
    lacking = [one for one in operators if one.name in LACKING]
    found = [
        *without_form(operators, OPSET),
        *by_name(lacking, "warning", "the VPU has no such layer"),
    ]
    if platform == "myriad-2":
        message = (
            "OpenVINO 2021.4 compiles for the Myriad 2 but no longer starts one: a device needs "
            "2020.3 or older, which nobody has tried with these graphs"
        )
        found.append(Lint(severity="warning", place="platform: myriad-2", message=message))
    return found
