"""Imports .keras and .h5 files: as they are from Keras 2, as a graph from Keras 3."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import keras_version
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.model import Imported, require_fit, require_single
from edgeflow.train.build import MODEL_FILE


def load(name: str, source: Path, dataset: DatasetView, out: Path) -> Imported:
    """Write model.h5 (Keras 2) or graph.pb (Keras 3).

    Raises:
        CompileError: the file holds no model, code of its own, or one that does not fit.
    """
    if _version(source) >= 3:
        return _from_keras3(name, source, dataset, out)
    from edgeflow.train.keras import load_keras
    from edgeflow.train.loop import predict

    model = _open(name, load_keras(seed=0), source)
    require_single(name, len(model.inputs or ()), len(model.outputs or ()))
    require_fit(name, model.input_shape, model.output_shape, dataset.facts)
    with warnings.catch_warnings(action="ignore"):  # h5 is "legacy", but has no time stamps
        model.save(out / MODEL_FILE, include_optimizer=False, save_format="h5")
    return Imported(predict=lambda x: predict(model, x), parameters=int(model.count_params()))


def _version(source: Path) -> int:
    """Return the major version of Keras that wrote a file."""
    if zipfile.is_zipfile(source):
        return keras_version(source)
    import h5py

    try:
        with h5py.File(source) as file:
            return int(str(file.attrs.get("keras_version", "2")).split(".")[0])
    except (OSError, ValueError):
        return 2  # which then says what is wrong with it


def _open(name: str, keras: Any, source: Path) -> Any:
    """Load a model, but no code: what a Lambda layer holds is not run."""
    from tf_keras.src.saving.serialization_lib import SafeModeScope

    try:
        with SafeModeScope(True):  # .h5 files do not heed the argument
            return keras.models.load_model(source, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises many kinds, all with one meaning
        raise CompileError(
            f"{name}: {source} cannot be loaded: {str(error).strip()[:500]}",
            hint="save the whole model, not its weights alone, of Keras' own layers; a Lambda "
            "layer holds code, which edgeflow does not run",
        ) from error


def _from_keras3(name: str, source: Path, dataset: DatasetView, out: Path) -> Imported:
    import sys

    from edgeflow.imported import keras3_worker
    from edgeflow.imported.worker import run_worker

    return run_worker(name, Path(sys.executable), keras3_worker, source, dataset, out)
