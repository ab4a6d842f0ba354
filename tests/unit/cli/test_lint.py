"""`edgeflow lint`: each operator of a file, on each kind of target, without a project."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from edgeflow import paths
from edgeflow.cli.app import app
from edgeflow.errors import EdgeflowError
from edgeflow.targets import registry
from tests.unit.targets.test_lint import write_chain


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["lint", *arguments])


def said(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_each_operator_is_named_with_its_version_and_reason(folder: Path) -> None:
    write_chain(folder / "model.tflite", "ABS", "Frob", "SIGN", "Frob")
    found = said("model.tflite", "--target", "litert")
    reason = "the LiteRT interpreter has no such operator"
    note = "XNNPACK does not take this operator, so LiteRT's built-in kernel runs it"
    assert found["operators"] == [
        {"index": 0, "operator": "ABS", "version": 1, "mapped": True, "reason": ""},
        {"index": 1, "operator": "Frob", "version": 1, "mapped": False, "reason": reason},
        {"index": 2, "operator": "SIGN", "version": 1, "mapped": True, "reason": note},
        {"index": 3, "operator": "Frob", "version": 1, "mapped": False, "reason": reason},
    ]
    assert (found["kind"], found["mapped"], found["first_unmapped"]) == ("litert", 2, 1)
    assert [one["operators"] for one in found["findings"]] == [[1, 3], [2]]


@pytest.mark.parametrize(
    ("kind", "options", "unknown"),
    [
        ("openvino", (), "RELU_N1_TO_1"),
        ("mcu", ("-o", "board=arduino-uno"), "SIGN"),
        ("mcu", (), "SIGN"),
    ],
)
def test_every_kind_judges_each_operator(
    kind: str, options: tuple[str, ...], unknown: str, folder: Path
) -> None:
    dtype = "float32" if kind == "openvino" else "int8"
    write_chain(folder / "model.tflite", "RELU", unknown, dtypes=(dtype,))
    found = said("model.tflite", "--target", kind, *options)
    assert [one["mapped"] for one in found["operators"]] == [True, False]
    assert found["operators"][1]["reason"]
    assert found["options"]


@pytest.mark.parametrize("kind", registry.names())
def test_no_kind_wants_an_option_to_be_asked(kind: str, folder: Path) -> None:
    write_chain(folder / "model.tflite", "RELU", dtypes=("int8",))
    assert len(said("model.tflite", "--target", kind)["operators"]) == 1


def test_codes_that_are_no_operators_are_lacking(folder: Path) -> None:
    write_chain(folder / "model.tflite", "ABS", "DELEGATE", "CUSTOM")
    assert said("model.tflite", "-t", "litert")["mapped"] == 1
    content = write_chain(folder / "model.tflite", "SEGMENT_SUM").read_bytes()  # its code is 125
    unknown = content.replace(b"\x7d\x00\x00\x00", b"\xfa\x00\x00\x00")
    (folder / "model.tflite").write_bytes(unknown)
    (only,) = said("model.tflite", "-t", "litert")["operators"]
    assert (only["operator"], only["mapped"]) == ("operator 250", False)


def test_a_graph_without_operators_says_so(folder: Path) -> None:
    write_chain(folder / "model.tflite")
    assert "its main graph has no operators" in run("model.tflite", "-t", "litert").output


QUANTIZED_HERE = ("iree", "myriad", "onnxruntime", "openvino", "rknn", "tensorrt")
INTEGERS_ALONE = ("edgetpu", "ethos_u", "mcu")


@pytest.mark.parametrize("kind", [*QUANTIZED_HERE, *INTEGERS_ALONE, "litert"])
def test_the_types_of_the_file_count(kind: str, folder: Path) -> None:
    write_chain(folder / "int8.tflite", "RELU", "RELU", dtypes=("int8",))
    write_chain(folder / "float.tflite", "RELU", "RELU")
    int8, whole = said("int8.tflite", "-t", kind), said("float.tflite", "-t", kind)
    assert (int8["mapped"], whole["mapped"]) == (
        0 if kind in QUANTIZED_HERE else 2,
        0 if kind in INTEGERS_ALONE else 2,
    )
    if kind in QUANTIZED_HERE:
        (refused,) = (one for one in int8["findings"] if one["place"] == "the file")
        assert (refused["severity"], refused["operators"]) == ("warning", [0, 1])
        assert "bring the float model" in int8["operators"][0]["reason"]


def test_what_a_recipe_made_is_judged_by_what_the_target_takes_of_recipes(folder: Path) -> None:
    made = folder / "results" / paths.RECIPE.format(model="m", recipe="small")
    made.mkdir(parents=True)
    write_chain(made / "model.tflite", "RELU", "RELU", dtypes=("int8",))
    for model in ("m/small", str(made / "model.tflite")):
        assert said(model, "-t", "openvino")["mapped"] == 2
        assert said(model, "-t", "mcu")["mapped"] == 2
        assert said(model, "-t", "iree")["mapped"] == 0


def test_floats_among_integers_are_refused_where_integers_are_taken(folder: Path) -> None:
    dtypes = ("int8", "int8", "float32", "float32", "int8")
    steps = ("RELU", "DEQUANTIZE", "RELU", "QUANTIZE", "RELU")
    write_chain(folder / "model.tflite", *steps, dtypes=dtypes)
    assert [one["mapped"] for one in said("model.tflite", "-t", "mcu")["operators"]] == [
        True, False, False, False, True,
    ]  # fmt: skip


def test_what_is_taken_for_an_option_is_told(folder: Path) -> None:
    write_chain(folder / "model.tflite", "RELU", dtypes=("int8",))
    assert "taken for `board: " in run("model.tflite", "-t", "mcu").output
    assert "taken for" not in run("model.tflite", "-t", "mcu", "-o", "board=arduino-uno").output


def test_options_come_from_the_command_line_and_from_a_target_of_the_configuration(
    folder: Path,
) -> None:
    write_chain(folder / "model.tflite", "SIGN")
    (folder / "config.yaml").write_text("targets: {plain: {kind: litert, xnnpack: false}}\n")
    assert said("model.tflite", "-t", "litert")["findings"]
    assert said("model.tflite", "-t", "litert", "-o", "xnnpack=false")["findings"] == []
    assert said("model.tflite", "-t", "plain")["findings"] == []
    assert said("model.tflite", "-t", "plain", "-o", "xnnpack=true")["findings"]


def test_the_first_that_does_not_map_is_told_and_fails_only_if_asked(folder: Path) -> None:
    write_chain(folder / "model.tflite", "ABS", "Frob", "SIGN")
    done = run("model.tflite", "-t", "litert")
    assert done.exit_code == 0
    assert "2 of 3 operators map to litert; the first that does not is 1, Frob" in done.stdout
    assert run("model.tflite", "-t", "litert", "--strict").exit_code == 1
    write_chain(folder / "model.tflite", "ABS")
    assert run("model.tflite", "-t", "litert", "--strict").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("absent.tflite", "-t", "litert"), 2, "no file absent.tflite"),
        (("model.tflite", "-t", "litret"), 2, "litert"),
        (("model.tflite", "-t", "litert", "-o", "threads"), 2, "KEY=VALUE"),
        (("model.tflite", "-t", "litert", "-o", "threads=0"), 2, "threads"),
        (("pipe.tflite", "-t", "litert"), 2, "no regular file"),
        ((".", "-t", "litert"), 2, "no regular file"),
        (("", "-t", "litert"), 2, "no regular file"),
        (("/dev/null", "-t", "litert"), 2, "no regular file"),
        (("damaged.tflite", "-t", "litert"), 7, "no .tflite, or is cut off"),
        (("page.tflite", "-t", "litert"), 7, "web page"),
    ],
)
def test_what_cannot_be_linted(
    arguments: tuple[str, ...], code: int, why: str, folder: Path
) -> None:
    model = write_chain(folder / "model.tflite", "ABS")
    (folder / "damaged.tflite").write_bytes(model.read_bytes()[:-40])
    os.mkfifo(folder / "pipe.tflite")
    (folder / "page.tflite").write_text("<!DOCTYPE html><html>")
    done = run(*arguments)
    error = done.exception  # a known failure, or the exit of a wrong command line
    assert (getattr(error, "exit_code", None) or done.exit_code) == code
    assert isinstance(error, EdgeflowError | SystemExit)
    assert why in " ".join(f"{done.output} {error}".replace("\u2502", " ").split())
