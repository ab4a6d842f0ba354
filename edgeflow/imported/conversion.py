"""Imports what a worker converts to a SavedModel, and checks what it made."""

import tempfile
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.imported.from_saved_model import load
from edgeflow.imported.model import Imported, Request, require_same
from edgeflow.worker import run_worker


def convert(worker: str, request: Request, out: Path, hint: str) -> Imported:
    """Convert a model file to a SavedModel, and import that.

    Args:
        worker: module that does it, see `edgeflow.worker`: with ``samples.npy`` and the names of
            input and output it writes ``saved_model/`` and ``outputs.npy``.
        request: what to import.
        out: folder of the step.
        hint: what to do where the worker crashes.

    Raises:
        CompileError: the worker failed, or the outputs are others after conversion.
    """
    import numpy as np

    samples = request.samples()
    job = {
        "source": str(request.source.absolute()),
        "input": request.input,
        "output": request.output,
    }
    # In the step's own folder, which goes if the step is killed.
    with tempfile.TemporaryDirectory(dir=out.absolute()) as name:
        folder = Path(name)
        np.save(folder / "samples.npy", samples)
        answer = run_worker(worker, job, folder, title=str(request.source), hint=hint)
        wanted = _read(folder / "outputs.npy", len(samples), hint)
        made = Request(source=folder / "saved_model", dataset=request.dataset)
        model = load(made, out)
    if answer.get("first") and wanted.ndim > 2:
        wanted = np.moveaxis(wanted, 1, -1)  # as the converter moves channels to the end
    require_same(wanted, model.predict(samples))
    return model


def _read(path: Path, count: int, hint: str) -> Any:
    """Return the outputs that a worker left: finite or not, but numbers for each sample."""
    import numpy as np

    try:
        outputs = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CompileError(
            f"the converter left no outputs to compare: {error}", hint=hint
        ) from error
    if outputs.ndim < 1 or len(outputs) != count:
        raise CompileError(
            f"{count} samples give outputs of shape {outputs.shape}",
            hint="export the model with a batch of 1 in inputs and outputs",
        )
    return outputs
