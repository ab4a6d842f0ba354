"""Runs an engine in another Python, where edgeflow is not installed: a worker."""

import importlib.util
from pathlib import Path
from typing import Any

ENGINE = "engine.py"
ARRAYS = {"inputs": "input_{:02}.npy", "outputs": "output_{:02}.npy"}


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Open a model, and run it where there are inputs.

    Args:
        job: ``folder`` of the model, ``options`` of the engine, and the number of ``inputs``.
        folder: holds the engine's file and the inputs, samples along their first axis; gets the
            outputs likewise.

    Returns:
        What the engine says of itself, and the number of outputs.
    """
    engine = _class(folder / ENGINE)(job["folder"], job["options"])
    outputs = _run(engine, job["inputs"], folder) if job["inputs"] else 0
    return {
        "io": engine.io(),
        "operators": engine.operators(),
        "version": engine.version(),
        "figures": dict(engine.figures()) if hasattr(engine, "figures") else {},
        "outputs": outputs,
    }


def _class(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("engine", str(path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Engine


def _run(engine: Any, count: int, folder: Path) -> int:
    import numpy as np

    inputs = [np.load(folder / ARRAYS["inputs"].format(place)) for place in range(count)]
    outputs = _infer(engine, inputs)
    for place, array in enumerate(outputs):
        np.save(folder / ARRAYS["outputs"].format(place), array)
    return len(outputs)


def _infer(engine: Any, inputs: list[Any]) -> list[Any]:
    import numpy as np

    if hasattr(engine, "infer_many"):
        return _listed(engine.infer_many(*inputs))
    samples = range(len(inputs[0]))
    rows = [_listed(engine.infer(*(array[i : i + 1] for array in inputs))) for i in samples]
    return [np.concatenate(column) for column in zip(*rows)]  # noqa: B905  # Python 3.7


def _listed(found: Any) -> list[Any]:
    return list(found) if isinstance(found, (list, tuple)) else [found]
