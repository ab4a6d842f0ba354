"""Imports what a worker converts to a SavedModel, and checks what it made."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from edgeflow.errors import CompileError
from edgeflow.imported.ends import judged_first, reordered
from edgeflow.imported.exchange import write_samples
from edgeflow.imported.from_saved_model import load
from edgeflow.imported.model import Imported, Request, require_same
from edgeflow.worker import run_worker

T = TypeVar("T", dict[str, str], list[Any])


def convert(worker: str, request: Request, out: Path, hint: str) -> Imported:
    """Convert a model file to a SavedModel, and import that.

    Args:
        worker: module that does it, see `edgeflow.worker`: with what `exchange` wrote and the names
            of inputs and outputs it writes ``saved_model/``, and outputs. It answers with names of
            ``outputs``, and with the SavedModel's ``keys`` of outputs and ``inputs``.
        request: what to import.
        out: folder of the step.
        hint: what to do where the worker crashes.

    Raises:
        CompileError: the worker failed, or the outputs are others after conversion.
    """
    samples = request.samples()
    job = {
        "source": str(request.source.absolute()),
        "dataset": list(request.facts.inputs),
        "input": request.input,
        "output": request.output,
    }
    # In the step's own folder, which goes if the step is killed.
    with tempfile.TemporaryDirectory(dir=out.absolute()) as name:
        folder = Path(name)
        write_samples(samples, folder)
        answer = run_worker(worker, job, folder, title=str(request.source), hint=hint)
        names, keys = answer["outputs"], answer["keys"]
        wanted = [
            _channels_last(_read(folder / f"output_{place:02}.npy", len(samples), hint), answer)
            for place in range(len(names))
        ]
        shapes = [array.shape[1:] for array in wanted]
        order = judged_first(names, shapes, request.output, request.facts)
        made = Request(
            source=folder / "saved_model",
            dataset=request.dataset,
            input=_several(dict(zip(request.facts.inputs, answer["inputs"], strict=True))),
            output=_several(reordered(keys, order)),
        )
        model = load(made, out)
    for one, other in zip(reordered(wanted, order), model.predict(samples), strict=True):
        require_same(one, other)
    return replace(model, outputs=reordered(names, order))


def _several(names: T) -> T | None:
    """Return names if they are more than one: what is alone needs none."""
    return names if len(names) > 1 else None


def _channels_last(outputs: Any, answer: Mapping[str, Any]) -> Any:
    import numpy as np

    # as the converter moves channels to the end
    moved = answer.get("first") and outputs.ndim > 2
    return np.moveaxis(outputs, 1, -1) if moved else outputs


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
