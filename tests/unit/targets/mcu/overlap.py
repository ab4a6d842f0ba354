"""Proof that a layer's slack is right: its output is written over its input, natively."""

import ctypes
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgeflow.targets.mcu.generate import generate
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu.identity import expected, random_samples


def survives(model: bytes, number: int, slack: int, settings: Settings | None = None) -> bool:
    """Return whether a network of one layer is right with its output over one of its inputs.

    Args:
        model: a .tflite of one layer, that reads the graph's inputs in their order.
        number: of the input that is written over.
        slack: by how many bytes the output starts before it.
        settings: of the generator.
    """
    sources = generate(model, settings)
    samples = random_samples(sources.graph, 4)
    size = sum(array.size for array in samples[0]) + sources.graph.tensors[-1].size + slack
    with TemporaryDirectory() as folder:
        for name, text in sources.files.items():
            (Path(folder) / name).write_text(text)
        library = Path(folder) / "model.so"
        command = ["cc", "-std=c99", "-O1", "-shared", "-fPIC", "-o", library.name, "model.c"]
        subprocess.run(command, cwd=folder, check=True)
        invoke = ctypes.CDLL(str(library)).model_invoke
        for sample, outputs in zip(samples, expected(model, "tflm", samples), strict=True):
            memory = np.zeros(size + outputs[0].size, np.int8)
            inputs = [array.copy() for array in sample]
            inputs[number] = memory[slack : slack + inputs[number].size]
            inputs[number][:] = sample[number].ravel()
            invoke(*(ctypes.c_void_p(array.ctypes.data) for array in (*inputs, memory)))
            if not np.array_equal(memory[: outputs[0].size], outputs[0].ravel()):
                return False
    return True


def assert_slack(model: bytes) -> None:
    """Check that each slack of a network of one layer is enough, and one byte less is not."""
    (layer,) = generate(model).layers
    for number, slack in enumerate(layer.slack):
        assert slack is not None
        assert survives(model, number, slack)
        assert slack == 0 or not survives(model, number, slack - 1)
