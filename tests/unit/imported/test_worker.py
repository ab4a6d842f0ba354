"""A converter that fails, or changes what a model says, is an error that says so."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported.worker import run_worker

WORKER = """\
import shutil, sys, numpy as np
source, samples, out = sys.argv[1:]
shutil.copytree(source, out + "/saved_model")
y = np.load(source + "/outputs.npy")
np.save(out + "/outputs.npy", y + {change})
"""


@pytest.fixture
def saved(network: Any, view: DatasetView, tmp_path: Path) -> Path:
    import numpy as np
    import tensorflow as tf

    folder = tmp_path / "saved"
    tf.saved_model.save(network, str(folder))
    np.save(folder / "outputs.npy", network(view.inputs("validation")[:8]).numpy())
    return folder


def convert(text: str, source: Path, view: DatasetView) -> None:
    program = source.parent / "worker.py"
    program.write_text(text)
    out = source.parent / "out"
    out.mkdir(exist_ok=True)
    worker: Any = SimpleNamespace(__file__=str(program))
    run_worker("mine", Path(sys.executable), worker, source, view, out)


def test_equal_outputs_pass_and_others_do_not(saved: Path, view: DatasetView) -> None:
    convert(WORKER.format(change="0"), saved, view)
    with pytest.raises(CompileError, match=r"differ by up to 0\.5 after conversion"):
        convert(WORKER.format(change="0.5"), saved, view)
    with pytest.raises(CompileError, match="differ by up to nan"):
        convert(WORKER.format(change="float('nan')"), saved, view)


def test_what_a_converter_said_is_told(saved: Path, view: DatasetView) -> None:
    with pytest.raises(CompileError, match="no such operator: Frob"):
        convert("import sys; sys.exit('no such operator: Frob')", saved, view)
    assert {path.name for path in saved.parent.iterdir()} == {"saved", "worker.py", "out"}
