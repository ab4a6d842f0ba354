import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.config.recipe import Recipe
from edgeflow.config.tflitefile import read_tflite
from edgeflow.errors import CompileError, DeployError, EdgeflowError
from edgeflow.profiling import profile as module
from edgeflow.profiling.network import network_of
from edgeflow.testing.trained import Trained

MODELS = ".edgeflow/virtual/bench/root/edgeflow"


def profiled(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["model", "profile", *arguments, "--json", "--runs", "10"])
    if isinstance(done.exception, EdgeflowError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def on_device(project: Path) -> dict[str, str]:
    """Return what lies on the device, beside the agent."""
    folder = project / MODELS
    files = {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else ""
        for path in folder.rglob("*")
    }
    return {name: target for name, target in files.items() if not name.startswith("bin/")}


def test_a_file_is_measured_beside_what_is_deployed(project: Path, trained: Trained) -> None:
    before, model = on_device(project), trained.recipe("ptq-int8") / "model.tflite"
    found = profiled(str(model), "--device", "bench")
    assert on_device(project) == before, "nothing stays, nothing else changed"
    assert "tiny/current" in before
    figures = {line["name"]: line for line in found.pop("figures")}
    assert {line["kind"] for line in figures.values()} == {"measured"}
    names = {"latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "load_time_ms", "peak_rss_mb"}
    assert names <= figures.keys()
    assert all(figures[name]["value"] > 0 for name in names)
    size = model.stat().st_size
    sizes = ("float_bytes", "recipe_bytes", "model_bytes")
    assert [figures[name]["value"] for name in sizes] == [size] * 3
    assert not figures.keys() & {"parity", "accuracy", "bundle_bytes"}
    assert (found["target"], found["device"], found["quantize"]) == ("pi", "bench", "ptq-int8")
    assert found["operators"]["cpu"] > 3
    assert found["layers"] == [], "LiteRT has no counters"
    assert found["conditions"]["engine"].startswith("ai-edge-litert")


def test_what_fails_on_the_device_leaves_nothing_there(
    project: Path, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = on_device(project)

    def fail(*_: object) -> None:
        assert on_device(project) != before, "it is there now"
        raise DeployError("it throttles")

    monkeypatch.setattr(module, "measure_release", fail)
    with pytest.raises(DeployError, match="it throttles"):
        profiled(str(trained.recipe("none") / "model.tflite"), "--device", "bench")
    assert on_device(project) == before


def test_a_kind_of_target_and_lines_for_people(project: Path, trained: Trained) -> None:
    model = str(trained.recipe("none") / "model.tflite")
    arguments = ["model", "profile", model, "--device", "bench", "--target", "openvino"]
    done = CliRunner().invoke(app, [*arguments, "--runs", "10"])
    assert done.exit_code == 0, done.output
    head, *lines = done.output.splitlines()
    assert head == f"{model} (none) for openvino on device bench, random samples"
    (latency,) = [line.split() for line in lines if "latency_p50_ms" in line]
    assert float(latency[1]) > 0
    assert latency[2] == "measured"
    assert lines[-1].strip().startswith("openvino ")
    layers = [line.split() for line in lines if " us " in line]
    times = [float(line[1]) for line in layers]
    # Of the model's seven nodes those that take under 1 µs are not counted by OpenVINO.
    assert 3 <= len(times) <= 5
    assert times == sorted(times, reverse=True)
    assert any(line[0].startswith("Convolution") for line in layers)


@pytest.mark.parametrize(
    ("recipe", "options", "said"),
    [
        ("ptq-int8", ("--target", "openvino"), "openvino cannot take .*ptq-int8 already"),
        ("none", ("--recipe", "ptq-int8"), "needs a calibration set"),
        ("none", ("--recipe", "qat-int8"), "needs samples with their truth"),
        ("none", ("--recipe", "fp16"), "needs more than a .tflite"),
        ("ptq-int8", ("--recipe", "dynamic"), "is quantized already"),
    ],
)
def test_what_cannot_be_made_without_data(
    project: Path, trained: Trained, recipe: str, options: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CompileError, match=said):
        profiled(str(trained.recipe(recipe) / "model.tflite"), "--device", "bench", *options)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none.onnx",), "no file none.onnx"),
        (("tiny/none",), "no such model in results"),
        (
            ("a.tflite", "--device", "kitchen"),
            "no device 'kitchen' in config.yaml; there are: bench",
        ),
        (("a.tflite", "--target", "board"), "no target 'board'; there are: "),
        (("a.tflite", "--recipe", "small"), "no recipe 'small'"),
    ],
)
def test_names_that_are_none(
    project: Path, trained: Trained, arguments: tuple[str, ...], said: str
) -> None:
    shutil.copyfile(trained.recipe("none") / "model.tflite", project / "a.tflite")
    done = CliRunner().invoke(app, ["model", "profile", *arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in done.output


def test_free_sizes_become_those_of_one_sample(trained: Trained, tmp_path: Path) -> None:
    model = flatbuffer_utils.read_model(str(trained.recipe("none") / "model.tflite"))
    for place in (*model.subgraphs[0].inputs, *model.subgraphs[0].outputs):
        tensor = model.subgraphs[0].tensors[place]
        tensor.shapeSignature = np.array([-1, *tensor.shape[1:]], np.int32)
    flatbuffer_utils.write_model(model, str(tmp_path / "free.tflite"))
    free = read_tflite(tmp_path / "free.tflite")
    assert free is not None
    assert free.tensors[free.inputs[0]].shape == (-1, 8, 8, 1)
    made = network_of(tmp_path / "free.tflite", Recipe(), tmp_path).model
    fixed = read_tflite(made)
    assert fixed is not None
    assert fixed.tensors[fixed.inputs[0]].shape == (1, 8, 8, 1)
