"""Vectors of unlike features through all steps, up to the runner of the bundle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.bundle.pack import pack_bundle
from edgeflow.compress.build import compress_model
from edgeflow.compress.debug.build import debug_recipe
from edgeflow.dataset.build import build_dataset
from edgeflow.targets.build import compile_model
from edgeflow.testing.subject import run_python
from edgeflow.train.build import train_model
from tests.unit.packed import unpack

TRAIN = {"epochs": 8, "learning_rate": 0.02, "threads": 1}
TARGET = {"target": {"kind": "litert"}}


def features(path: Path) -> None:
    """Write two classes that the third feature, the smallest by far, tells apart."""
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x = rng.normal(size=(400, 3)) * [60, 60, 0.1] + np.outer(y - 0.5, [0, 0, 1])
    np.savez(path, x=x.astype(np.float32), y=y)


def through(tmp_path: Path, **dataset: Any) -> tuple[float, list[int], dict[str, Any]]:
    """Return the int8 accuracy, the narrow channels, and what the runner says."""
    features(tmp_path / "x.npz")
    section = {"source": "npz", "path": str(tmp_path / "x.npz"), "calibration": 100, **dataset}
    data, model, recipe, out = (tmp_path / name for name in ("data", "float", "int8", "litert"))
    build_dataset("a", section, "0", data)
    slice_ = {"architecture": {"name": "mlp", "units": [8]}, "train": TRAIN}
    train_model("a", data, slice_, "0", model)
    int8 = {"recipe": {"quantize": "ptq-int8"}, "train": None}
    manifest = compress_model("a/int8", data, model, int8, "0", recipe)
    debug_recipe("a/int8", data, recipe, {}, "0", recipe / "debug")
    compile_model("a", data, recipe, TARGET, "0", out)
    pack_bundle("a", data, out, {"model": "a", "recipe": "int8", **TARGET}, "0", out)
    release = unpack(out / "bundle.tar", tmp_path / "release")
    figures = json.loads((recipe / "debug" / "quantization.json").read_text())
    narrow = [channel["number"] for channel in figures["narrow_channels"]["input"]]
    said = run_python("-B", str(release / "runner.py"), "golden").splitlines()[-1]
    return float(manifest.facts["metric_test"]), narrow, json.loads(said)


@pytest.mark.parametrize("standardize", [False, True])
def test_a_small_feature_counts_once_it_has_a_scale_of_its_own(
    tmp_path: Path, standardize: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = {"preprocess": {"standardize": True}} if standardize else {}
    accuracy, narrow, golden = through(tmp_path, **dataset)
    assert golden == {"passed": True, "max_abs": {"output": 0.0}}
    warned = "warning: 1 of 3 input channels get fewer than" in capsys.readouterr().err
    assert (narrow, warned) == (([], False) if standardize else ([2], True))
    assert accuracy > 0.95 if standardize else accuracy < 0.9
