"""What hangs on a device's USB is told apart; OpenVINO is a stand-in with its own messages."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeflow.ondevice import engine_myriad
from edgeflow.ondevice.engine_myriad import Engine

OPTIONS = {"model": "model.blob", "config": {"MYRIAD_THROUGHPUT_STREAMS": "1"}, "unit": {}}
FACTS = {
    "platform": "myriad-x",
    "stages": 12,
    "inputs": [{"name": "b", "shape": [1, 2]}, {"name": "a", "shape": [1, 2]}],
    "outputs": [{"name": "y", "shape": [1, 2]}],
}
NO_LIBRARY = (
    "Failed to create plugin libmyriadPlugin.so for device MYRIAD\nPlease, check your environment\n"
    "Cannot load library 'libmyriadPlugin.so': libusb-1.0.so.0: cannot open shared object file\n"
)
NO_PLUGIN = 'Device with "MYRIAD" name is not registered in the InferenceEngine'


class Core:
    """`IECore` of OpenVINO 2021.4, with sticks that a test plugs in."""

    sticks: tuple[str, ...] = ("1.2-ma2480",)
    broken = ""
    refusal = ""
    imported: tuple[Any, ...] = ()

    def get_metric(self, device: str, name: str) -> Any:
        if name == "AVAILABLE_DEVICES":
            if self.broken:
                raise RuntimeError(self.broken)
            return list(self.sticks)
        return f"Intel Movidius Myriad X VPU of {device}"

    def import_network(self, path: str, device: str, config: dict[str, str]) -> "Core":
        if self.refusal:
            raise RuntimeError(self.refusal)
        Core.imported = (Path(path).read_bytes(), device, config)
        return self

    def infer(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {"y": inputs["b"] - inputs["a"]}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiled model, a USB with nothing on it, and OpenVINO."""
    (tmp_path / "myriad.json").write_text(json.dumps(FACTS))
    (tmp_path / "model.blob").write_bytes(b"\x7felf")
    (tmp_path / "sys").mkdir()
    (tmp_path / "dev/001").mkdir(parents=True)
    monkeypatch.setattr(engine_myriad, "SYSFS", str(tmp_path / "sys"))
    monkeypatch.setattr(engine_myriad, "DEV", str(tmp_path / "dev"))
    monkeypatch.setattr(engine_myriad, "WAIT_S", 0.0)
    module: Any = ModuleType("openvino.inference_engine")
    module.IECore = Core
    module.get_version = lambda: "2021.4.2-3976-0943ed67223-refs/pull/539/head"
    monkeypatch.setitem(sys.modules, "openvino.inference_engine", module)
    return tmp_path


def plug_in(place: Path, product: str) -> Path:
    """Let the kernel know a Movidius stick; return its device node."""
    stick = place / "sys/1-2"
    stick.mkdir()
    named = {"idVendor": "03e7", "idProduct": product, "busnum": "1", "devnum": "7"}
    for name, text in named.items():
        (stick / name).write_text(f"{text}\n")
    node = place / "dev/001/007"
    node.touch()
    return node


def test_a_graph_runs_on_the_stick(place: Path) -> None:
    engine = Engine(str(place), OPTIONS)
    assert Core.imported == (b"\x7felf", "MYRIAD", OPTIONS["config"])
    one, two = np.ones((1, 2), np.float32), np.full((1, 2), 2, np.float32)
    np.testing.assert_array_equal(engine.infer(two, one)[0], one)
    assert engine.operators() == 12
    assert engine.version() == "openvino 2021.4.2"
    assert engine.io()["inputs"][0] == {
        **{"name": "b", "shape": [1, 2], "dtype": "float32"},
        **{"scale": 0.0, "zero_point": 0},
    }
    assert engine.conditions()["stick"] == "MYRIAD"


@pytest.mark.parametrize("port", ["1.4", "1.4-ma2480", 1.4])
def test_the_unit_names_one_of_several_sticks(
    place: Path, monkeypatch: pytest.MonkeyPatch, port: str | float
) -> None:
    monkeypatch.setattr(Core, "sticks", ("1.2-ma2480", "1.4-ma2480"))
    Engine(str(place), {**OPTIONS, "unit": {"usb": port}})
    assert Core.imported[1] == "MYRIAD.1.4-ma2480"
    with pytest.raises(RuntimeError, match=r"at USB port 3; free are 1\.2-ma2480, 1\.4-ma2480"):
        Engine(str(place), {**OPTIONS, "unit": {"usb": "3"}})


def test_without_a_stick_it_says_what_is_there_instead(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Core, "sticks", ())
    with pytest.raises(RuntimeError, match="no Movidius stick hangs on this host"):
        Engine(str(place), OPTIONS)
    node = plug_in(place, "2485")
    with pytest.raises(RuntimeError, match="does not start; unplug it"):
        Engine(str(place), OPTIONS)
    monkeypatch.setattr("os.access", lambda path, mode: path != str(node))
    with pytest.raises(RuntimeError, match="may not open .*007; let it by a udev rule"):
        Engine(str(place), OPTIONS)
    (place / "sys/1-2/idProduct").write_text("f63b\n")
    with pytest.raises(RuntimeError, match="one is in use"):
        Engine(str(place), OPTIONS)
    (place / "sys/1-2/idProduct").write_text("2150\n")
    with pytest.raises(RuntimeError, match=r"a Myriad 2, which no OpenVINO after 2020\.3"):
        Engine(str(place), OPTIONS)


def test_a_stick_that_refuses_the_graph_is_told_with_its_reason(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Core, "refusal", "myriad_executor.cpp:1\nCan not init device: NC_ERROR")
    plug_in(place, "f63b")
    with pytest.raises(RuntimeError, match=r"\(Can not init device: NC_ERROR\): one is in use"):
        Engine(str(place), OPTIONS)


@pytest.mark.parametrize(
    ("said", "reason"),
    [(NO_LIBRARY, "apt-get install libusb-1.0-0"), (NO_PLUGIN, "plug-in MYRIAD")],
)
def test_what_is_missing_is_no_missing_stick(
    place: Path, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    monkeypatch.setattr(Core, "broken", said)
    with pytest.raises(ImportError, match=reason):
        Engine(str(place), OPTIONS)


def test_a_new_openvino_is_not_the_one_that_is_needed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino.inference_engine", None)
    with pytest.raises(ImportError, match=r"openvino 2021\.4 or 2022\.3"):
        Engine(str(place), OPTIONS)
