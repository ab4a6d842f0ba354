"""Imports ONNX files, with onnx2tf in a process of its own."""

from pathlib import Path

from edgeflow.imported.conversion import convert
from edgeflow.imported.model import Imported, Request

TOOLS = ("onnx", "onnx-graphsurgeon", "onnx2tf", "onnxruntime", "onnxsim", "sng4onnx")


def load(request: Request, out: Path) -> Imported:
    """Write graph.pb, whose input has its channels last.

    Raises:
        CompileError: the file cannot be converted, or has other outputs than in ONNX Runtime.
    """
    hint = "export it of operators for inference alone, with the inputs of the dataset"
    return convert("edgeflow.imported.onnx_worker", request, out, hint)
