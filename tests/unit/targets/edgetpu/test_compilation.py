"""A stand-in for the compiler prints and leaves what the real one does, case by case."""

import json
from pathlib import Path
from typing import Any

import psutil
import pytest

from edgeflow.config.recipe import Recipe
from edgeflow.errors import CompileError, MissingToolError
from edgeflow.remote.virtual.layout import Behaviour, DeviceFolder
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.edgetpu import EdgeTPU, call_compiler, compilation
from edgeflow.targets.edgetpu.options import TOLERANCE, EdgeTPUOptions
from edgeflow.targets.identity import identify
from edgeflow.targets.worker import Worker
from edgeflow.testing.virtual_devices import stop_devices
from edgeflow.toolchain.base import Host
from tests import edge_tpu
from tests.unit.targets.mcu import nets

BUILDER = {"name": "builder", "transport": "virtual", "timeout_s": 60.0}


def options(**given: Any) -> EdgeTPUOptions:
    return EdgeTPUOptions(kind="edgetpu", **given)


def compiled(folder: Path, host: Host = None, **given: Any) -> CompiledModel:
    """Compile a small model into ``out`` of a folder, with the compiler that is there."""
    model, parsed = edge_tpu.write_model(folder / "net.tflite"), options(**given)
    worker = Worker(title="coral/net", toolchain=EdgeTPU.toolchain(parsed), host=host)
    recipe = Recipe(quantize="ptq-int8")
    job = CompileInput(
        model=model, float_model=model, network=None, recipe=recipe, calibration=None, worker=worker
    )
    (folder / "out").mkdir(exist_ok=True)
    return EdgeTPU.compile(job, parsed, folder / "out")


def test_what_the_compiler_makes_is_kept_with_what_it_says(
    tmp_path: Path, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edge_tpu.install_compiler(programs, "partial")
    made = compiled(tmp_path)
    assert made.model == "model_edgetpu.tflite"
    assert made.operators == {"accelerator": 3, "cpu": 2}
    assert made.figures["accelerator_share"] == 3 / 5
    assert made.figures["onchip_used_bytes"] == 4608
    assert made.facts == {
        "cpu_operators": [
            {
                "operator": "RESHAPE",
                "count": 1,
                "reason": "Operation is working on an unsupported data type",
            },
            {
                "operator": "CONV_2D",
                "count": 1,
                "reason": "More than one subgraph is not supported",
            },
        ][::-1]
    }
    assert "coral/net: 1 RESHAPE on the CPU: Operation is working" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model_edgetpu.tflite"]


def test_an_output_may_differ_by_steps_of_its_own(tmp_path: Path, programs: Path) -> None:
    edge_tpu.install_compiler(programs)
    eight, two = compiled(tmp_path).tolerances, compiled(tmp_path, tolerance_steps=2).tolerances
    assert eight
    assert two
    assert eight[0] == 4 * two[0] > 0
    net = nets.Net()
    path = tmp_path / "float.tflite"
    path.write_bytes(net.model(nets.dequantize(net, net.input((1, 3)))))
    assert compilation._tolerances(path, 8) == (TOLERANCE,)


def test_segments_come_with_their_order(tmp_path: Path, programs: Path) -> None:
    edge_tpu.install_compiler(programs)
    made = compiled(tmp_path, segments=2)
    assert (made.model, made.operators) == ("pipeline.json", {"accelerator": 5, "cpu": 0})
    pipeline = json.loads((tmp_path / "out/pipeline.json").read_text())
    names = [f"model_segment_{place}_of_2_edgetpu.tflite" for place in (0, 1)]
    assert pipeline["segments"] == names
    assert (len(pipeline["inputs"]), len(pipeline["outputs"])) == (2, 1)
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {*names, "pipeline.json"}


def test_a_search_may_fail_before_it_succeeds(tmp_path: Path, programs: Path) -> None:
    edge_tpu.install_compiler(programs, "large")
    with pytest.raises(CompileError, match="large activation tensors"):
        compiled(tmp_path)
    assert compiled(tmp_path, search_delegate=True).operators == {"accelerator": 5, "cpu": 0}


REFUSALS = {
    "large": ("due to large activation tensors", "search_delegate"),
    "dynamic": ("dynamic-sized tensors.; Model failed in Tflite", "fixed shapes"),
    "custom": (r"unresolved custom op: Atan", "out of the network"),
    "timeout": ("Compilation timeout", "a smaller input"),
    "float": ("Model not quantized", "quantize: ptq-int8"),
    "version": ("opcode 'CONV_2D' version '6'", "edgeflow lint"),
    "internal": ("Internal compiler error. Aborting!", "it failed twice"),
    "mute": (r"it gives no reason, and made no model_edgetpu.tflite \(exit code 0\)", "lint"),
    "wordless": (r"it gives no reason, and made no model_edgetpu.tflite", "lint"),
    "liar": ("made no model_edgetpu.tflite", ""),
    "empty": ("made no model_edgetpu.tflite", ""),
    "damaged": ("made no model_edgetpu.tflite", ""),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_the_compiler_refuses_is_one_message_and_leaves_no_model(
    case: str, tmp_path: Path, programs: Path
) -> None:
    edge_tpu.install_compiler(programs, case)
    message, hint = REFUSALS[case]
    with pytest.raises(CompileError, match=f"^coral/net: edgetpu_compiler: .*{message}") as caught:
        compiled(tmp_path)
    assert "\n" not in caught.value.message
    assert hint in caught.value.hint


def test_an_internal_error_is_tried_once_more(tmp_path: Path, programs: Path) -> None:
    edge_tpu.install_compiler(programs, "flaky")
    assert compiled(tmp_path).operators == {"accelerator": 5, "cpu": 0}


def test_a_compiler_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = edge_tpu.install_compiler(programs, "hangs")
    inner = program.rename(programs / "edgetpu_compiler_bin")
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --version ]; then exec {inner} -v; fi\n{inner} "$@"'
    )
    program.chmod(0o755)
    monkeypatch.setattr(compilation, "GRACE_S", 1)
    with pytest.raises(CompileError, match="it did not end in time") as caught:
        compiled(tmp_path, timeout_s=1)
    assert "timeout_s" in caught.value.hint
    left = [one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"])]
    assert [words for words in left if str(inner) in words] == []


def test_options_reach_the_compiler() -> None:
    plain = ["edgetpu_compiler", "--show_operations", "--out_dir", ".", "model.tflite"]
    assert compilation.command(options()) == plain, "what each version knows"
    asked = compilation.command(
        options(
            compiler="/opt/coral/edgetpu_compiler",
            min_runtime_version=13,
            multiple_subgraphs=True,
            search_delegate=True,
            segments=3,
            timeout_s=600,
        )
    )
    assert asked == [
        *("/opt/coral/edgetpu_compiler", "--show_operations", "--out_dir", "."),
        *("-a", "--search_delegate", "--min_runtime_version", "13"),
        *("--num_segments", "3", "--timeout_sec", "600", "model.tflite"),
    ]


@pytest.mark.parametrize("path", ["bin/edgetpu_compiler", "-v", "/opt/x y", "/opt/../x", "$(x)"])
def test_a_compiler_is_a_name_or_an_absolute_path(path: str) -> None:
    with pytest.raises(ValueError, match="compiler"):
        options(compiler=path)


def test_a_missing_compiler_is_told_with_the_commands_that_install_it(
    programs: Path, tmp_path: Path
) -> None:
    with pytest.raises(MissingToolError, match="no program edgetpu_compiler") as caught:
        identify(EdgeTPU.toolchain(options()), None)
    for word in ("coral-edgetpu-stable", "apt-get install edgetpu-compiler", "x86-64"):
        assert word in caught.value.hint
    program = edge_tpu.install_compiler(tmp_path / "elsewhere")
    found = identify(EdgeTPU.toolchain(options(compiler=str(program))), None)
    assert found == {str(program): "Edge TPU Compiler version 16.0.384591198"}


def test_a_compile_host_makes_the_same(
    tmp_path: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edge_tpu.install_compiler(programs, "partial")
    here = compiled(tmp_path, segments=2)
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    folder = DeviceFolder(tmp_path / ".edgeflow/virtual/compile_host.builder")
    folder.behave(Behaviour(login='PATH="$HOME/bin:$PATH"'))
    edge_tpu.install_compiler(folder.root / "bin", "partial")
    (programs / "edgetpu_compiler").unlink()
    for path in (tmp_path / "out").iterdir():
        path.unlink()
    try:
        there = compiled(tmp_path, BUILDER, segments=2)
    finally:
        stop_devices(tmp_path)
    assert there == here
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == files


LIES: list[dict[str, Any]] = [
    {},
    {"exit_code": 0, "said": None, "logs": 7},
    {"exit_code": 0, "said": "Compilation succeeded!", "logs": {}},
    {"exit_code": True, "said": "Compilation succeeded!", "logs": []},
]


@pytest.mark.parametrize("answer", LIES)
def test_an_answer_that_is_none_is_a_refusal(
    answer: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "run", lambda *args, **named: answer)
    with pytest.raises(CompileError):
        compiled(tmp_path)


def test_numbers_that_lack_are_no_model(tmp_path: Path, programs: Path) -> None:
    program = edge_tpu.install_compiler(programs)
    program.write_text(program.read_text().replace("Off-chip memory", "Memory"))
    with pytest.raises(CompileError, match="tells no memory or operators of model_edgetpu"):
        compiled(tmp_path)


@pytest.mark.parametrize("segments", [1, 2])
def test_what_does_not_fit_the_network_is_no_model_of_it(
    segments: int, tmp_path: Path, programs: Path
) -> None:
    program = edge_tpu.install_compiler(programs)
    compiled(tmp_path, segments=segments)
    other = edge_tpu.write_model(tmp_path / "other.tflite", channels=3)
    text = program.read_text().replace("model.read_bytes()", f"Path({str(other)!r}).read_bytes()")
    program.write_text(text)
    with pytest.raises(CompileError, match="inputs and outputs that are not the network's"):
        compiled(tmp_path, segments=segments)


def test_what_a_compiler_says_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_compiler, "_SAID_MAX", 10)
    job = {"command": ["printf", "0123456789abcdef"], "inputs": [], "outputs": [], "limit_s": 60}
    assert call_compiler.work(job, tmp_path)["said"] == "6789abcdef"
