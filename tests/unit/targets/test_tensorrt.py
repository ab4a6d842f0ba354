"""TensorRT: what trtexec prints and reads, the work on a Jetson, plans of another board."""

import json
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgeflow.cli.needs import needs_with
from edgeflow.errors import CompileError, DeployError, MissingToolError
from edgeflow.ondevice import engine_tensorrt
from edgeflow.ondevice.engine_tensorrt import Engine
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import Behaviour, DeviceFolder
from edgeflow.targets.build import compile_model
from edgeflow.targets.identity import identify
from edgeflow.targets.tensorrt import STEPS, TensorRT, TensorRTOptions, build
from edgeflow.targets.tensorrt.scales import scales_of
from edgeflow.testing.trained import Trained
from edgeflow.toolchain.base import Host
from tests import jetson, tiny_targets
from tests.unit.packed import members, pack_tiny, target_options
from tests.unit.targets.test_lint import said, write_chain

OLD_SUMMARY = """\
[03/11/2022-14:57:03] [I] === Performance summary ===
[03/11/2022-14:57:03] [I] Throughput: 41087.7 qps
[03/11/2022-14:57:03] [I] Latency: min = 0.387207 ms, max = 0.447357 ms, mean = 0.402238 ms, \
median = 0.401947 ms, percentile(99%) = 0.420288 ms
[03/11/2022-14:57:03] [I] GPU Compute Time: min = 0.375977 ms, max = 0.403564 ms, mean = 0.388 ms, \
median = 0.388443 ms, percentile(99%) = 0.393188 ms
"""
NEW_SUMMARY = """\
[12/09/2025-17:00:23] [I] Throughput: 120.031 qps
[12/09/2025-17:00:23] [I] Latency: min = 7.5 ms, max = 9.2 ms, mean = 8.18562 ms, median = 8.2 ms, \
percentile(90%) = 8.7 ms, percentile(95%) = 9.0 ms, percentile(99.9%) = 9.1152 ms
[12/09/2025-17:00:23] [W] * GPU compute time is unstable, with coefficient of variance = 5.58977%.
"""


def test_the_summary_of_each_generation_is_read() -> None:
    old, new = build.performance(OLD_SUMMARY), build.performance(NEW_SUMMARY)
    assert old["throughput_qps"] == 41087.7
    latency = {"min": 0.387207, "max": 0.447357, "mean": 0.402238, "median": 0.401947}
    assert old["times_ms"]["latency"] == {**latency, "p99": 0.420288}
    assert set(old["times_ms"]) == {"latency", "gpu_compute_time"}
    assert new["times_ms"]["latency"]["p90"] == 8.7
    assert new["times_ms"]["latency"]["p99.9"] == 9.1152
    assert build.performance("no summary") == {"times_ms": {}, "throughput_qps": None}


REFUSED = {
    "an operator of 8.4": (
        """\
[06/27/2022-11:15:47] [E] [TRT] ModelImporter.cpp:773: While parsing node number 13 [Pad -> "p"]:
[06/27/2022-11:15:47] [E] [TRT] ModelImporter.cpp:774: --- Begin node ---
[06/27/2022-11:15:47] [E] [TRT] ModelImporter.cpp:775: input: "x"
output: "p"
name: "Pad_13"
op_type: "Pad"

[06/27/2022-11:15:47] [E] [TRT] ModelImporter.cpp:776: --- End node ---
[06/27/2022-11:15:47] [E] [TRT] ModelImporter.cpp:779: ERROR: ModelImporter.cpp:180 In function f:
[6] Invalid Node - Pad_13
[06/27/2022-11:15:47] [E] Failed to parse onnx file
[06/27/2022-11:15:47] [E] Engine set up failed
&&&& FAILED TensorRT.trtexec [TensorRT v8401] # trtexec --onnx=unit.onnx
""",
        "ERROR: ModelImporter.cpp:180 In function f: [6] Invalid Node - Pad_13",
        "--verbose",
    ),
    "a kernel of 10.3": (
        """\
[04/27/2026-18:38:45] [I] [TRT] Local timing cache in use.
[04/27/2026-18:38:45] [E] Error[10]: IBuilder::buildSerializedNetwork: Error Code 10: Internal \
Error (Could not find any implementation for node {ForeignNode[a...b]}.)
[04/27/2026-18:38:45] [E] Engine could not be created from network
[04/27/2026-18:38:45] [E] Building engine failed
""",
        "Could not find any implementation for node",
        "another operator",
    ),
    "memory": (
        "[E] [TRT] Error[2]: [virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: "
        "OutOfMemory (Requested size was 8589934592 bytes.)\n",
        "OutOfMemory (Requested size was 8589934592 bytes.)",
        "workspace_mib",
    ),
    "an option": ("[E] Unknown option: --separateProfileRun \n", "Unknown option", "JetPack"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_failure_has_the_reason_that_trtexec_prints(case: str) -> None:
    log, reason, hint = REFUSED[case]
    message, found = build.failure(log, 1)
    assert reason in message
    assert "While parsing" not in message
    assert "set up failed" not in message
    assert hint in found


def test_a_trtexec_that_dies_is_told() -> None:
    message, _ = build.failure("[I] [TRT] building\n", -9)
    assert message == "trtexec: it ended with code -9, likely for want of memory"


def test_the_calibration_cache_has_the_form_of_its_tensorrt() -> None:
    scales = scales_of({"x": (-2.0, 1.0), "a/b.1": (0.0, 127.0), "zero": (0.0, 0.0)})
    assert struct.unpack(">f", bytes.fromhex(scales["x"]))[0] == pytest.approx(2 / 127)
    text = build.cache((8, 6, 1), scales)
    assert text == f"TRT-8601-EntropyCalibration2\nx: {scales['x']}\na/b.1: 3f800000\n"
    assert build.cache((10, 3, 0), {}).startswith("TRT-100300-EntropyCalibration2\n")


def test_a_jetson_says_what_it_is() -> None:
    assert build.board(f"{jetson.BOARD}\0{jetson.RELEASE}") == {
        "board": jetson.BOARD,
        "l4t": "36.4.3",
    }
    assert build.version("libnvinfer-bin 8.5.2-1+cuda11.4") == "8.5.2"
    with pytest.raises(build.Refused, match="no release of L4T"):
        build.board("Raspberry Pi 5")


def test_layers_are_read_in_each_form() -> None:
    profile = [{"count": 2}, {"name": "conv", "timeMs": 1.0, "averageMs": 0.5}]
    names_alone = build.layers({"Layers": ["conv", "gemm"]}, profile)
    detailed = build.layers({"Layers": [{"Name": "conv", "LayerType": "Cask"}]}, profile)
    assert [(one["name"], one["time_us"]) for one in names_alone] == [("conv", 500), ("gemm", None)]
    assert detailed == [{"name": "conv", "type": "Cask", "time_us": 500}]
    assert build.layers(None, profile) == [{"name": "conv", "type": "", "time_us": 500}]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[DeviceFolder]:
    """A virtual compile host that is a Jetson."""
    state = tmp_path / start.STATE
    host = DeviceFolder(state / tiny_targets.BUILDER)
    jetson.install(host.root / "bin")
    host.behave(Behaviour(login='export PATH="$HOME/bin:$PATH" TRTEXEC_FAILS="$HOME/fails"'))
    address = start.ensure(tiny_targets.BUILDER, Path(sys.executable), state)
    yield host
    os.kill(address.pid, 15)


def section(board: DeviceFolder) -> Host:
    return {"name": "builder", **tiny_targets.as_real(board)}


def compiled(trained: Trained, recipe: str, out: Path, board: DeviceFolder) -> dict[str, Any]:
    slice_ = {"target": target_options("tensorrt", workspace_mib=512)}
    folders = trained.dataset, trained.recipe(recipe)
    compile_model("jetson/tiny", *folders, slice_, "0", out, host=section(board))
    record: dict[str, Any] = json.loads((out / "compile.json").read_bytes())
    return record


def test_int8_is_built_on_a_jetson_from_our_calibration_set(
    trained: Trained, board: DeviceFolder, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    record = compiled(trained, "ptq-int8", out, board)
    header, network = jetson.unpacked((out / "compiled/model.plan").read_bytes())
    assert header["flags"] == ["--fp16", "--int8", "--separateProfileRun"]
    built = json.loads((out / "compiled/built.json").read_bytes())
    assert {name: built[name] for name in jetson.BUILT} == jetson.BUILT == record["facts"]["built"]
    assert record["facts"]["figures"] == {
        "trtexec_latency_median_ms": 0.372559,
        "trtexec_throughput_per_s": 2699.06,
    }
    assert record["facts"]["times_ms"]["gpu_compute_time"]["median"] == 0.348389
    assert record["facts"]["operators"] == {"gpu": 2}
    layers = record["facts"]["layers"]
    assert [(one["name"], one["time_us"]) for one in layers] == [
        ("conv + relu", 250),
        ("gemm", None),
    ]
    # The references come from the very scales of the cache.
    lines = dict(line.split(": ") for line in header["calibration"].splitlines()[1:])
    reference = onnx.load(out / "reference/reference.onnx")
    scales = {one.name: onnx.numpy_helper.to_array(one) for one in reference.graph.initializer}
    graph = onnx.load_from_string(network).graph
    # A layer and its ReLU are one to both, with the range of what that leaves.
    fused = {node.input[0] for node in graph.node if node.op_type == "Relu"}
    both = [name for name in lines.keys() - fused if f"{name}_scale" in scales]
    assert len(both) >= 5
    for name in both:
        assert struct.unpack(">f", bytes.fromhex(lines[name])) == scales[f"{name}_scale"]
    assert {value.name for value in (*graph.input, *graph.output)} <= lines.keys()
    assert all(name.count(":") == 0 for name in lines)
    (output,) = record["facts"]["io"]["outputs"]
    (end,) = struct.unpack(">f", bytes.fromhex(lines[built["outputs"][0]]))
    assert output["tolerance"] == pytest.approx(max(5e-2, STEPS * end), rel=1e-5)
    # They stay here, and the times of kernels there.
    pack_tiny(trained, "tensorrt", "ptq-int8", out)
    shipped = {name for name in members(out / "bundle.tar") if name.startswith("model/")}
    assert shipped == {"model/model.plan", "model/built.json"}
    timing = board.root / ".cache/edgeflow/tensorrt/10.3.0-36.4.3.timing"
    assert timing.read_text() == "times\n"


def test_what_trtexec_refuses_is_one_message(
    trained: Trained, board: DeviceFolder, tmp_path: Path
) -> None:
    log, reason, hint = REFUSED["an operator of 8.4"]
    (board.root / "fails").write_text(log)
    with pytest.raises(CompileError, match="jetson/tiny: trtexec: .*ERROR") as caught:
        compiled(trained, "none", tmp_path / "out", board)
    assert reason in caught.value.message
    assert hint in caught.value.hint


def test_another_version_is_another_toolchain_and_11_is_refused(
    trained: Trained, board: DeviceFolder, tmp_path: Path
) -> None:
    toolchain = TensorRT.toolchain(TensorRTOptions(kind="tensorrt"))
    before = identify(toolchain, section(board))
    assert "Orin Nano" in before["cat"]
    assert "REVISION: 4.3" in before["cat"]
    jetson.install(board.root / "bin", version="11.0.0")
    after = identify(toolchain, section(board))
    assert before["cat"] == after["cat"]
    assert before["dpkg-query"] != after["dpkg-query"]
    with pytest.raises(CompileError, match=r"TensorRT 11\.0\.0 is not supported"):
        compiled(trained, "none", tmp_path / "out", board)


def test_a_machine_that_is_no_jetson_is_a_missing_tool() -> None:
    with pytest.raises(MissingToolError) as caught:
        identify(TensorRT.toolchain(TensorRTOptions(kind="tensorrt")), None)
    assert caught.value.message == "this machine is not a Jetson"
    assert "compile_host" in caught.value.hint
    needs = {one.what: one for one in needs_with(TensorRT, TensorRTOptions(kind="tensorrt"))}
    assert needs["a Jetson"].install.startswith("this machine is none: compile on a Jetson")
    assert "cat" not in needs


def test_what_a_jetson_says_is_not_believed_unread(
    trained: Trained, board: DeviceFolder, tmp_path: Path
) -> None:
    # A board whose name does not fit: too long for what names a board.
    jetson.install(board.root / "bin", board="Jetson" * 200)
    with pytest.raises(DeployError, match="malformed"):
        compiled(trained, "none", tmp_path / "out", board)


@pytest.fixture
def plan(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with a plan, on a machine with TensorRT and CUDA."""
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    header = struct.pack(">I", 2) + b"{}"
    (tmp_path / "model.plan").write_bytes(jetson.MAGIC + header + model.SerializeToString())
    built = {**jetson.BUILT, "inputs": ["x"], "outputs": ["y"]}
    (tmp_path / "built.json").write_text(json.dumps(built))
    for name, text in (("model", jetson.BOARD + "\0"), ("release", jetson.RELEASE)):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(engine_tensorrt, f"{name.upper()}_FILE", str(tmp_path / name))
    library = jetson.build_library(tmp_path_factory.mktemp("cuda"))
    monkeypatch.setattr(engine_tensorrt, "LIBRARIES", ("none.so", str(library)))
    monkeypatch.setitem(sys.modules, "tensorrt", jetson.tensorrt())
    return tmp_path


def engine(folder: Path) -> Engine:
    return Engine(str(folder), {"model": "model.plan", "unit": {}})


def test_a_plan_runs_on_the_board_that_it_was_built_for(plan: Path) -> None:
    opened = engine(plan)
    assert [end["shape"] for end in opened.io()["inputs"]] == [[1, 2]]
    (found,) = opened.infer(np.array([[1.0, -2.0]]))
    np.testing.assert_array_equal(found, np.array([[-1.0, 2.0]], np.float32))
    layers = opened.profile(np.zeros((2, 2), np.float32))
    assert [(one["name"], one["time_us"]) for one in layers] == [("conv + relu", 250.0)]
    assert opened.version() == "tensorrt 10.3.0"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("model", "NVIDIA Jetson AGX Orin\0", "this is NVIDIA Jetson AGX Orin with L4T 36.4.3"),
        ("release", "# R35 (release), REVISION: 4.1,", "with L4T 35.4.1 and TensorRT 10.3.0"),
        ("release", "", "with L4T none and"),
    ],
)
def test_a_plan_is_refused_elsewhere(plan: Path, name: str, text: str, said: str) -> None:
    (plan / name).write_text(text)
    with pytest.raises(RuntimeError, match=f"was built on {jetson.BOARD}.*{said}"):
        engine(plan)


def test_a_plan_is_refused_by_another_tensorrt(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", jetson.tensorrt("10.7.0.23"))
    with pytest.raises(RuntimeError, match=r"TensorRT 10\.3\.0; this is .* TensorRT 10\.7\.0:"):
        engine(plan)


def test_what_fails_on_the_device_is_told(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = engine(plan)
    with pytest.raises(RuntimeError, match="cudaMalloc fails: out of memory"):
        opened._cuda.allocate(1 << 40)
    (plan / "model.plan").write_bytes(b"garbage")
    with pytest.raises(RuntimeError, match="cannot load the plan"):
        engine(plan)
    monkeypatch.setattr(engine_tensorrt, "LIBRARIES", ("none.so",))
    with pytest.raises(ImportError, match="no CUDA runtime library"):
        engine(plan)


def test_operators_without_a_form_in_onnx_are_named(tmp_path: Path) -> None:
    found = said("tensorrt", write_chain(tmp_path / "model.tflite", "ABS", "SVDF"))
    assert [one.operators for one in found] == [(1,)]
