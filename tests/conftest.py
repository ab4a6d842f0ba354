import os
from pathlib import Path

import pytest

from edgeflow.artifact.cpu import hold_kernels
from edgeflow.testing.trained import Trained, trained
from tests.unit.packed import compile_tiny, pack_tiny

# As in the step server: a test that imports TensorFlow before the first training must not choose
# the kernels of all trainings of its process.
hold_kernels()

# A test that trains twice must train twice, and never touches the store of whoever runs it.
os.environ["EDGEFLOW_STORE"] = "off"
for variable in ("EDGEFLOW_STORE_REMOTE", "EDGEFLOW_STORE_PUSH"):
    os.environ.pop(variable, None)

__all__ = ["packed", "trained"]


@pytest.fixture(scope="session")
def packed(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of the steps compile and bundle, for litert and ptq-int8."""
    folder = tmp_path_factory.mktemp("packed")
    compile_tiny(trained, "litert", "ptq-int8", folder)
    pack_tiny(trained, "litert", "ptq-int8", folder)
    return folder
