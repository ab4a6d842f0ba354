"""What a conversion without a dataset takes for the shape of a sample."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from onnx import helper

from edgeflow.errors import CompileError
from edgeflow.inspection import converted
from edgeflow.inspection.converted import as_tflite
from tests.unit.imported.onnx_models import draw, save


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, tuple[int, ...]]]:
    """Let no worker run; keep the shapes of samples that one would get."""
    seen: list[dict[str, tuple[int, ...]]] = []

    def keep(source: Path, inputs: dict[str, tuple[int, ...]], worker: str, folder: Path) -> Path:
        seen.append(inputs)
        return folder

    monkeypatch.setattr(converted, "_exported", keep)
    monkeypatch.setattr(converted, "run_worker", lambda *_, **__: {"refusals": {}})
    return seen


@pytest.mark.parametrize(
    ("declared", "sample"),
    [
        (["n", 3, 32, 24], (32, 24, 3)),
        ([1, 32, 24, 3], (32, 24, 3)),
        ([1, 1, 8, 8], (8, 8, 1)),
        (["n", 640], (640,)),
        (["n", 2, 16], (2, 16)),
    ],
)
def test_channels_of_onnx_go_last(
    declared: list[Any], sample: tuple[int, ...], exported: list[Any], tmp_path: Path
) -> None:
    nodes = [helper.make_node("Relu", ["input"], ["y"])]
    path = save(tmp_path / "a.onnx", nodes, ({"input": declared}, {"y": declared}), {})
    as_tflite(path, tmp_path)
    assert exported == [{"input": sample}]


def test_weights_among_the_inputs_are_no_samples(exported: list[Any], tmp_path: Path) -> None:
    nodes = [helper.make_node("MatMul", ["input", "w"], ["y"])]
    ends = ({"input": ["n", 4], "w": [4, 2]}, {"y": ["n", 2]})
    as_tflite(save(tmp_path / "a.onnx", nodes, ends, {"w": draw(4, 2)}), tmp_path)
    assert exported == [{"input": (4,)}]


def keras_3(path: Path, *shapes: list[int | None]) -> Path:
    layers = [
        {"class_name": "InputLayer", "config": {"name": f"in_{place}", "batch_shape": shape}}
        for place, shape in enumerate(shapes)
    ]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.9.0"}))
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
    return path


def test_inputs_of_keras_3(exported: list[Any], tmp_path: Path) -> None:
    as_tflite(keras_3(tmp_path / "a.keras", [None, 8, 8, 3], [None, 5]), tmp_path)
    assert exported == [{"in_0": (8, 8, 3), "in_1": (5,)}]


def test_sizes_that_are_free_cannot_be_guessed(exported: list[Any], tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["input"], ["y"])]
    free = ({"input": ["n", 3, "h", "w"]}, {"y": ["n", 3, "h", "w"]})
    for path in (
        save(tmp_path / "a.onnx", nodes, free, {}),
        keras_3(tmp_path / "a.keras", [None, None, 8, 3]),
    ):
        with pytest.raises(CompileError, match="has a free size"):
            as_tflite(path, tmp_path)
    with pytest.raises(CompileError, match="does not say the shape of its inputs"):
        as_tflite(keras_3(tmp_path / "b.keras"), tmp_path)
    assert exported == []
