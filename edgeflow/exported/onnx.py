"""Writes a float .tflite as ONNX, with tf2onnx in a process of its own."""

import shutil
import tempfile
from pathlib import Path

from edgeflow.exported import onnx_worker
from edgeflow.worker import run_worker

TOOLS = ("onnx", "tf2onnx")
"""Distributions whose versions shape the file."""
_HINT = "use another operator, or another target for this model"


def export_onnx(float_model: Path, out: Path, opset: int) -> None:
    """Write a float .tflite as ONNX, the same bytes for the same input.

    Inputs and outputs keep their names, order and shapes, with the channels last; sizes are static.
    The graph passed ONNX's own check.

    Args:
        float_model: a .tflite in float32.
        out: the .onnx file to write.
        opset: version of ONNX's operators, from 11 on.

    Raises:
        CompileError: an operator has no form in ONNX.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = {"model": str(float_model.absolute()), "opset": opset}
        run_worker(onnx_worker.__name__, job, folder, title=out.stem, hint=_HINT)
        shutil.copyfile(folder / onnx_worker.FILE, out)
