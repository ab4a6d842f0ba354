"""Imports ONNX files, with onnx2tf in an environment of its own."""

from pathlib import Path

from edgeflow.dataset.view import DatasetView
from edgeflow.imported import onnx_worker
from edgeflow.imported.model import Imported
from edgeflow.imported.worker import run_worker
from edgeflow.toolchain import ONNX


def load(name: str, source: Path, dataset: DatasetView, out: Path) -> Imported:
    """Write graph.pb, whose input has its channels last.

    Raises:
        MissingToolError: the toolchain cannot be installed.
        CompileError: the file cannot be converted, or has other outputs than in ONNX Runtime.
    """
    return run_worker(name, ONNX.python(), onnx_worker, source, dataset, out)
