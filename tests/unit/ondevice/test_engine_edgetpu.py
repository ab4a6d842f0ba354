"""The engine runs on a stand-in for libedgetpu, whose delegate takes the RESHAPE operators."""

import json
import sys
import threading
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.ondevice import engine_edgetpu, engine_litert
from edgeflow.ondevice.engine_edgetpu import Engine, devices_of
from tests import edge_tpu
from tests.edge_tpu.compiler import cut
from tests.unit.targets.mcu import nets


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library of a host with two sticks."""
    return edge_tpu.build_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as it is, and in two and three segments."""
    folder = tmp_path_factory.mktemp("model")
    content = edge_tpu.write_model(folder / "model.tflite").read_bytes()
    io = engine_litert.Engine(str(folder), PLAIN).io()
    ends = {side: [tensor["name"] for tensor in io[side]] for side in io}
    for count in (2, 3):
        names = [f"{place}_of_{count}.tflite" for place in range(count)]
        for name, part in zip(names, cut(content, count), strict=True):
            (folder / name).write_bytes(part)
        (folder / f"{count}.json").write_text(json.dumps({"segments": names, **ends}))
    return folder


PLAIN = {"model": "model.tflite", "threads": 1, "xnnpack": False}


def load(folder: Path, library: Any, model: str = "model.tflite", **unit: Any) -> Engine:
    options = {"model": model, "unit": unit, "threads": 1}
    return Engine(str(folder), {**options, "library": library and str(library)})


def samples(count: int = 9) -> list[NDArray[np.int8]]:
    random = np.random.default_rng(5)
    shapes = [(count, 4, 4, 2), (count, 6)]
    return [random.integers(-128, 128, shape, np.int8) for shape in shapes]


def expected(folder: Path, inputs: list[NDArray[np.int8]]) -> NDArray[Any]:
    engine = engine_litert.Engine(str(folder), PLAIN)
    rows = [[array[row : row + 1] for array in inputs] for row in range(len(inputs[0]))]
    return np.concatenate([engine.infer(*row)[0] for row in rows])


@pytest.mark.parametrize("model", ["model.tflite", "2.json"])
def test_a_delegate_runs_the_model_or_its_segments(folder: Path, library: Path, model: str) -> None:
    engine, inputs = load(folder, library, model), samples()
    assert engine.io() == engine_litert.Engine(str(folder), PLAIN).io()
    wanted = expected(folder, inputs)
    np.testing.assert_array_equal(engine.infer_many(*inputs)[0], wanted)
    np.testing.assert_array_equal(engine.infer(*[array[:1] for array in inputs])[0], wanted[:1])
    conditions = engine.conditions()
    assert conditions["delegated_nodes"] == 2
    assert conditions["edge_tpus"] == (["any"] if model == "model.tflite" else [":0", ":1"])
    assert engine.operators() == 5
    figures = engine.figures()
    assert [*figures] == ([] if model == "model.tflite" else ["throughput_per_s"])
    assert all(value > 0 for value in figures.values())
    assert engine.version().startswith("ai-edge-litert ")
    assert engine.version().endswith(", Edge TPU runtime 14")


def test_segments_work_at_the_same_time(
    folder: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second segment waits in a sample for the first to be in the next one, and so on."""
    engine, inputs = load(folder, library, "2.json"), samples()
    count = len(inputs[0])
    both, seen = threading.Barrier(2, timeout=60), dict.fromkeys(engine._stages, 0)
    running = engine_edgetpu._Stage.run

    def watched(stage: Any, arrays: Any) -> Any:
        place, number = engine._stages.index(stage), seen[stage]
        seen[stage] += 1
        if not (place == 0 and number == 0) and not (place == 1 and number == count - 1):
            both.wait()
        return running(stage, arrays)

    monkeypatch.setattr(engine_edgetpu._Stage, "run", watched)
    (found,) = engine.infer_many(*inputs)
    monkeypatch.undo()
    np.testing.assert_array_equal(found, expected(folder, inputs))


def test_a_long_pipeline_keeps_the_order_and_an_error_ends_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = edge_tpu.build_library(tmp_path, "-DDEVICES=3")
    engine, inputs = load(folder, three, "3.json", usb=0), samples(40)
    assert engine.conditions()["edge_tpus"] == ["usb:0", "usb:1", "usb:2"]
    np.testing.assert_array_equal(engine.infer_many(*inputs)[0], expected(folder, inputs))
    stage = engine._stages[1]
    running = stage._interpreter.invoke
    calls = iter(range(40))

    def unplugged() -> None:
        if next(calls) == 20:
            raise RuntimeError("the stick is gone")
        running()

    monkeypatch.setattr(stage._interpreter, "invoke", unplugged)
    with pytest.raises(RuntimeError, match="the stick is gone"):
        engine.infer_many(*inputs)


def test_a_missing_library_and_a_missing_stick_are_told_apart(
    folder: Path, library: Path, tmp_path: Path
) -> None:
    with pytest.raises(ImportError, match=r"library libedgetpu\.so\.1 .*libedgetpu1-std"):
        load(folder, None)
    (tmp_path / "other.so").write_text("of another machine")
    with pytest.raises(ImportError, match="other.so .*file too short"):
        load(folder, tmp_path / "other.so")
    with pytest.raises(RuntimeError, match=r"no Edge TPU `usb:2` at this host, which has usb at /"):
        load(folder, library, usb=2)
    with pytest.raises(RuntimeError, match="no Edge TPU `pci:0` at this host"):
        load(folder, library, pci=0)
    with pytest.raises(RuntimeError, match="no Edge TPU `usb:2`"):
        load(folder, library, "2.json", usb=1)
    none = edge_tpu.build_library(tmp_path / "none", "-DDEVICES=0")
    with pytest.raises(RuntimeError, match="no Edge TPU at this host, which has none; is it plug"):
        load(folder, none)


def test_a_stick_that_does_not_start_is_told_with_what_the_library_says(
    folder: Path, tmp_path: Path
) -> None:
    busy = edge_tpu.build_library(tmp_path / "busy", "-DBUSY")
    with pytest.raises(RuntimeError, match="Edge TPU usb:1 does not start .*another process"):
        load(folder, busy, usb=1)
    mute = edge_tpu.build_library(tmp_path / "mute", "-DMUTE")
    assert load(folder, mute).version().endswith(str(mute))
    with pytest.raises(RuntimeError, match="usb:7 does not start .*no such option or device"):
        load(folder, mute, usb=7)


def test_a_model_that_the_runtime_does_not_take_is_told_so(
    folder: Path, library: Path, tmp_path: Path
) -> None:
    model = nets.unpacked((folder / "model.tflite").read_bytes())
    last = model.subgraphs[0].operators[-1]
    code = model.operatorCodes[last.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = 32  # custom
    code.customCode = "edgetpu-custom-op"
    for operator in model.subgraphs[0].operators:
        if operator.opcodeIndex == last.opcodeIndex:
            operator.builtinOptionsType, operator.builtinOptions = 0, None
    (tmp_path / "model.tflite").write_bytes(nets.packed(model))
    with pytest.raises(RuntimeError, match="not take the model .*edgetpu-custom-op.*min_runtime"):
        load(tmp_path, library)


def test_units_are_numbers_of_one_kind() -> None:
    assert devices_of({}, 1) == [""]
    assert devices_of({}, 2) == [":0", ":1"]
    assert devices_of({"usb": 1}, 2) == ["usb:1", "usb:2"]
    assert devices_of({"pci": "0"}, 1) == ["pci:0"]
    assert devices_of({"usb": "2-1.4"}, 1) == ["usb:2-1.4"]
    assert devices_of({"usb": "2-1.4, 1-2,0"}, 3) == ["usb:2-1.4", "usb:1-2", "usb:0"]
    for wrong in ({"usb": -1}, {"usb": "2 1"}, {"usb": 0, "pci": 1}, {"serial": 1}, {"usb": ""}):
        with pytest.raises(ValueError, match="Edge TPU"):
            devices_of(wrong, 1)
    for count, ports in ((1, "2-1,2-2"), (2, "2-1"), (3, "0,1")):
        with pytest.raises(ValueError, match=f"the model has {count} segments"):
            devices_of({"usb": ports}, count)


def test_a_port_stays_that_of_its_stick(folder: Path, library: Path) -> None:
    engine = load(folder, library, usb="2-2")
    assert engine.conditions()["edge_tpus"] == ["usb:1"]
    engine = load(folder, library, "2.json", usb="2-2, 2-1")
    assert engine.conditions()["edge_tpus"] == ["usb:1", "usb:0"]
    with pytest.raises(RuntimeError, match=r"no Edge TPU `usb:2-3` .* usb at /sys/.*/2-1, usb at"):
        load(folder, library, usb="2-3")


def test_googles_pycoral_opens_the_stick_and_pypis_does_not(
    folder: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_edge_litert import interpreter

    asked = []
    packages = {name: types.ModuleType(name) for name in ("pycoral", "pycoral.utils")}
    for name, package in packages.items():
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
    assert engine_edgetpu.google_pycoral() is None, "PyPI's has no such module"
    coral: Any = types.ModuleType("pycoral.utils.edgetpu")

    def load_edgetpu_delegate(options: dict[str, str]) -> Any:
        asked.append(options)
        return interpreter.load_delegate(str(library), options)

    coral.load_edgetpu_delegate = load_edgetpu_delegate
    coral.make_interpreter = lambda path, delegate: interpreter.Interpreter(
        model_path=path, experimental_delegates=[delegate]
    )
    monkeypatch.setitem(sys.modules, "pycoral.utils.edgetpu", coral)
    monkeypatch.setattr(engine_edgetpu, "LIBRARY", str(library))
    inputs = samples(2)
    found = load(folder, None, usb=1).infer_many(*inputs)[0]
    np.testing.assert_array_equal(found, expected(folder, inputs))
    assert asked == [{"device": "usb:1"}]
    load(folder, library)
    assert len(asked) == 1, "a library of one's own is opened by the interpreter itself"
