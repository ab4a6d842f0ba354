"""Networks become projects of hls4ml, and what g++ makes of these computes the same."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeflow.artifact.manifest import describe_files
from edgeflow.errors import CompileError
from edgeflow.ondevice import engine_hls
from edgeflow.targets.fpga import FPGA, hls
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.environment import python_of
from edgeflow.toolchain.fpga import environment

SOFTMAX = """
import tf_keras as keras
keras.utils.set_random_seed(1)
layers, start = keras.layers, keras.initializers
net = keras.Sequential([layers.Input((4, 4, 2)), layers.Conv2D(2, 2, groups=2, padding="same"),
                        layers.DepthwiseConv2D(2, depth_multiplier=2, dilation_rate=2),
                        layers.BatchNormalization(), layers.ReLU(), layers.SpatialDropout2D(0.1),
                        layers.DepthwiseConv2D(2, padding="same"), layers.BatchNormalization(),
                        layers.SeparableConv2D(6, 1, pointwise_initializer=start.RandomNormal(0, 3),
                                               bias_initializer=start.Constant(8)),
                        layers.Dropout(0.1), layers.GlobalAveragePooling2D(),
                        layers.Dense(5, activation="softmax")])
last = net.layers[-1].kernel
last.assign((last - last.numpy().mean(axis=0)) * 8)
net.save("model.h5")
import numpy as np
x = np.random.default_rng(0).uniform(-1, 1, (200, 4, 4, 2)).astype("float32")
np.save("x.npy", x)
np.save("y.npy", net(x).numpy())
"""
EXACT = """
import keras, numpy as np
from hgq.config import QuantizerConfigScope
from hgq.layers import QDense
from hgq.utils import trace_minmax
keras.utils.set_random_seed(1)
with QuantizerConfigScope(default_q_type="kbi", b0=5, i0=2):
    net = keras.Sequential([keras.layers.Input((2, 3, 1)), keras.layers.Flatten(), QDense(5),
                            keras.layers.ReLU(), QDense(3)])
trace_minmax(net, np.random.default_rng(0).uniform(-1, 1, (100, 2, 3, 1)).astype("float32"))
net.save("model.keras")
"""


def made(program: str, folder: Path, keras: str) -> Path:
    """Run a program that leaves a network in a folder, and return the folder."""
    python = python_of(environment(), "the test") if keras == "3" else Path(sys.executable)
    names = {"2": {"TF_USE_LEGACY_KERAS": "1"}, "3": {"KERAS_BACKEND": "tensorflow"}}[keras]
    command = [str(python), "-c", program]
    subprocess.run(command, cwd=folder, env={**os.environ, **names}, check=True)
    return folder


def compiled(network: Path | None, quantize: str, out: Path, **more: Any) -> Any:
    options = FPGAOptions(kind="fpga", flow="hls", **more)
    job: Any = SimpleNamespace(
        network=network,
        recipe=SimpleNamespace(quantize=quantize),
        samples=None,
        model=Path("model.tflite"),
        worker=Worker(title="net", toolchain=FPGA.toolchain(options)),
    )
    out.mkdir()
    return hls.compile_for(job, options, out)


@pytest.fixture(scope="module")
def softmax(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of Keras 2 that ends in a softmax, with samples and what it gives for them."""
    return made(SOFTMAX, tmp_path_factory.mktemp("softmax"), "2")


@pytest.mark.parametrize(("backend", "io"), [("Vitis", "parallel"), ("Catapult", "stream")])
def test_a_softmax_tells_the_classes_apart(
    softmax: Path, tmp_path: Path, backend: str, io: str
) -> None:
    """By hls4ml's own defaults all of them get the same probability."""
    found = compiled(softmax / "model.h5", "none", tmp_path / "out", backend=backend, io=io)
    engine = engine_hls.Engine(str(tmp_path / "out"), {"model": found.model})
    x, expected = np.load(softmax / "x.npy"), np.load(softmax / "y.npy")
    (given,) = engine.infer_many(x)
    assert expected.max(axis=1).mean() > 0.4  # it has an opinion
    assert np.abs(given - expected).max() < 0.1
    assert (given.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.95
    assert found.tolerances == (2.0**-10,)
    shown = ["nm", "-D", "--defined-only", "--format=just-symbols", tmp_path / "out" / found.model]
    symbols = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.split()
    assert sorted(symbols) == ["model_description", "model_float"]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"/tmp" not in path.read_bytes(), path


def test_a_network_of_hgq_is_exact_and_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made(EXACT, tmp_path, "3")
    arrays, kept = hls.arrays_of, {}

    def spied(place: Path, name: str) -> list[Any]:
        kept[name] = arrays(place, name)
        return list(kept[name])

    monkeypatch.setattr(hls, "arrays_of", spied)
    monkeypatch.setattr(hls, "litert_outputs", lambda job, samples: kept["expected"])
    first = compiled(folder / "model.keras", "hgq", tmp_path / "one")
    assert first.facts["compared_samples"] == {"emulation": 1000}
    assert np.unique(kept["expected"]).size > 50
    compiled(folder / "model.keras", "hgq", tmp_path / "two")
    assert describe_files(tmp_path / "one") == describe_files(tmp_path / "two")
    described = json.loads((tmp_path / "one" / "model.json").read_text())
    assert described["outputs"][0]["shape"] == [1, 3]


def test_a_model_without_keras_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="Keras network"):
        compiled(None, "none", tmp_path / "out")
