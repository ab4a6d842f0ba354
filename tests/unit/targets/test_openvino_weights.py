"""Int8 models of OpenVINO on CPUs with other instruction sets than the host's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.openvino.weights import PAIR_MAX, fix_overflow, overflow_factor
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, pack_tiny, unpack

# What oneDNN, and so OpenVINO, may use: with DEFAULT all that the CPU has.
INSTRUCTION_SETS = ("DEFAULT", "AVX2", "SSE41")

MODEL = """
import sys
import numpy as np
import openvino
from openvino import opset13 as ops
from edgeflow.targets.openvino.weights import fix_overflow

random = np.random.default_rng(0)
weights = (127 * np.sign(random.normal(size=(8, 1))) * np.ones((8, 64))).astype(np.int8)
inputs = ops.parameter([1, 64], np.float32)
ends = [np.float32(0), np.float32(1)]
rounded = ops.fake_quantize(inputs, *ends, *ends, 256)
floats = ops.multiply(ops.convert(ops.constant(weights), "f32"), np.full((8, 1), 0.01, np.float32))
model = openvino.Model([ops.matmul(rounded, floats, False, True)], [inputs])
if sys.argv[1] == "fix":
    assert fix_overflow(model) == 8
settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
compiled = openvino.Core().compile_model(model, "CPU", settings)
print(compiled(np.ones((1, 64), np.float32))[0][0].tolist())
"""


def held_to(instruction_set: str) -> dict[str, str]:
    return {**os.environ, "ONEDNN_MAX_CPU_ISA": instruction_set}


def answer(program: str, instruction_set: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    done = subprocess.run(
        [sys.executable, "-c", MODEL, program],
        env=held_to(instruction_set), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return np.array(json.loads(done.stdout))


def test_weights_that_overflow_are_scaled_until_they_do_not() -> None:
    exact = 64 * 1.27
    assert np.abs(answer("as it is", "AVX2")).max() < 0.8 * exact  # what there is to fix
    for instruction_set in INSTRUCTION_SETS:
        assert np.abs(answer("fix", instruction_set)) == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("scale_shape", [(16, 1), (1, 1), (1,), (16, 1, 1)])
def test_no_two_weights_of_a_channel_can_overflow(scale_shape: tuple[int, ...]) -> None:
    shape = (16, 9) if len(scale_shape) < 3 else (16, 3, 3)
    weights = np.random.default_rng(3).integers(-128, 128, shape).astype(np.int8)
    factor = overflow_factor(weights, scale_shape)
    small = np.rint(weights / factor)
    for row in small.reshape(16, -1) if scale_shape[0] == 16 else [small.ravel()]:
        pairs = np.sort(row)
        assert pairs[-2:].clip(0).sum() <= PAIR_MAX
        assert pairs[:2].clip(None, 0).sum() >= -PAIR_MAX
        assert max(pairs[-2:].sum(), -pairs[:2].sum()) > PAIR_MAX - 4  # and no smaller than that


def test_safe_channels_keep_their_weights() -> None:
    weights = np.array([[127, 1, -100, -28], [127, 2, 0, 0], [0, 0, 0, 0]], np.int8)
    assert overflow_factor(weights, (3, 1)).ravel() == pytest.approx([1, 129 / 127, 1])


def test_depthwise_layers_add_no_pairs() -> None:
    import openvino
    from openvino import opset13 as ops

    weights = ops.constant(np.full((4, 1, 1, 3, 3), 127, np.int8))
    floats = ops.multiply(ops.convert(weights, "f32"), np.ones((4, 1, 1, 1, 1), np.float32))
    inputs = ops.parameter([1, 4, 8, 8], np.float32)
    layer = ops.group_convolution(inputs, floats, [1, 1], [1, 1], [1, 1], [1, 1])
    assert fix_overflow(openvino.Model([layer], [inputs])) == 0


@pytest.mark.parametrize("recipe", ["qat-int8", "keep-float", "uint8", "ptq-int8"])
def test_golden_vectors_hold_on_every_instruction_set(
    trained: Trained, recipe: str, tmp_path: Path
) -> None:
    compile_tiny(trained, "openvino", recipe, tmp_path)
    pack_tiny(trained, "openvino", recipe, tmp_path)
    release = unpack(tmp_path / "bundle.tar", tmp_path / "release")
    for instruction_set in INSTRUCTION_SETS:
        done = subprocess.run(
            [sys.executable, "-B", str(release / "runner.py"), "golden"],
            env=held_to(instruction_set), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (instruction_set, done.stderr)
