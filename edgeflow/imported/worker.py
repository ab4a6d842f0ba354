"""Runs a converter in a process of its own, and checks what it made."""

import os
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

from edgeflow.artifact.cpu import held_environment
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.from_saved_model import load
from edgeflow.imported.model import Imported
from edgeflow.text import tail

SAMPLES = 8
TOLERANCE = 1e-3
"""Largest difference of an output after conversion, as a share of the largest output or of 1."""


def run_worker(
    name: str, python: Path, worker: ModuleType, source: Path, dataset: DatasetView, out: Path
) -> Imported:
    """Convert a model file to a SavedModel, and import that.

    Args:
        name: the model's name, for messages.
        python: interpreter of the worker.
        worker: module whose file is the program; it is not imported there.
        source: the model file.
        dataset: gives the samples that the outputs are compared for.
        out: folder of the step.

    Raises:
        CompileError: the worker failed, or the outputs are others after conversion.
    """
    import numpy as np

    samples = dataset.inputs("validation")[:SAMPLES]
    # Absolute: the worker runs elsewhere. In the step's own folder: that goes if it is killed.
    with tempfile.TemporaryDirectory(dir=out.absolute()) as scratch:
        np.save(Path(scratch) / "samples.npy", samples)
        program = [str(python), "-P", str(worker.__file__)]
        done = subprocess.run(
            [*program, str(source.absolute()), f"{scratch}/samples.npy", scratch],
            env=_environment(python),
            cwd=scratch,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise CompileError(
                f"{name}: {source} cannot be converted:\n{tail(done.stderr or done.stdout)}",
                hint="export it with one input and one output, of operators for inference alone",
            )
        wanted = np.load(Path(scratch) / "outputs.npy", allow_pickle=False)
        model = load(name, Path(scratch) / "saved_model", dataset, out)
    difference = float(np.abs(model.predict(samples) - wanted).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise CompileError(
            f"{name}: the outputs of {source} differ by up to {difference:.3g} after conversion",
            hint="an operator means something else to the converter; export it in another form",
        )
    return model


def _environment(python: Path) -> dict[str, str]:
    """Return the environment of a worker: its interpreter's programs first, nothing of ours."""
    ours = ("PYTHONPATH", "TF_USE_LEGACY_KERAS")
    kept = {key: value for key, value in held_environment().items() if key not in ours}
    return {**kept, "PATH": f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
