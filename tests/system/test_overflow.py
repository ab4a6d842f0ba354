"""Int8 models of ONNX Runtime on a CPU without VNNI: an emulated Haswell, with AVX2 alone."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.artifact.cpu import overflows
from edgeflow.config.recipe import Calibration
from edgeflow.dataset.tensors import Tensors
from edgeflow.exported.quantized import quantize
from edgeflow.exported.ranges import ranges_of
from edgeflow.ondevice import facts
from tests.system.conftest import ENABLE

RUN = """
import sys
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
samples = numpy.load(sys.argv[2])
found = [session.run(None, {"x": one[None]})[0] for one in samples]
numpy.save(sys.argv[3], numpy.concatenate(found))
"""
EMULATOR = ("qemu-x86_64-static", "-cpu", "Haswell")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network whose weights and inputs are all large, in float, and samples."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0).random
    weights = {"k": draw((8, 16, 3, 3)), "w": draw((512, 10))}
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w"], ["y"]),
    ]
    shapes = {"x": [1, 16, 8, 8], "y": [1, 10]}
    ends = [[helper.make_tensor_value_info(n, TensorProto.FLOAT, s)] for n, s in shapes.items()]
    constants = [
        numpy_helper.from_array(0.5 + array.astype(np.float32) / 2, name)
        for name, array in weights.items()
    ]
    graph = helper.make_graph(nodes, "g", *ends, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "float.onnx")
    np.save(tmp_path / "x.npy", 0.9 + draw((4, 16, 8, 8)).astype(np.float32) / 10)
    return tmp_path


def outputs(folder: Path, model: str, *emulator: str) -> NDArray[Any]:
    files = [str(folder / name) for name in (model, "x.npy", "y.npy")]
    subprocess.run([*emulator, sys.executable, "-c", RUN, *files], check=True, capture_output=True)
    found: NDArray[Any] = np.load(folder / "y.npy")
    return found


def test_weights_of_7_bits_give_the_bytes_of_a_cpu_with_vnni(folder: Path) -> None:
    if shutil.which(EMULATOR[0]) is None:
        pytest.skip(f"needs {EMULATOR[0]}; {ENABLE}")
    if overflows("x86_64", facts.instruction_sets()):
        pytest.skip("needs a CPU with VNNI")
    samples = Tensors({"input": np.load(folder / "x.npy")})
    ranges = ranges_of(folder / "float.onnx", samples, Calibration())
    differ = {}
    for reduce_range in (False, True):
        quantize(folder / "float.onnx", folder / "m.onnx", ranges, reduce_range=reduce_range)
        here, there = outputs(folder, "m.onnx"), outputs(folder, "m.onnx", *EMULATOR)
        differ[reduce_range] = np.abs(here - there).max() / np.abs(here).max()
    assert differ[True] == 0
    assert differ[False] > 0.05
