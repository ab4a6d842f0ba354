"""Energy of one inference, from trees like the kernel's."""

import ast
import shutil
import threading
from pathlib import Path

import pytest

from edgeflow.ondevice import energy

RANGE_UJ = 262_143_328_850
INFERENCE_S = 0.25


class World:
    """A machine whose clock runs only where it works or sleeps."""

    def __init__(self, sys: Path) -> None:
        self.sys = sys
        self.now_s = 100.0
        self.idle_uj = 3_000
        self.inferences = 0
        self.zones: list[Path] = []

    def zone(self, folder: str, name: str, energy_uj: int = 0) -> None:
        self.zones.append(self.folder(f"class/powercap/{folder}", name))
        (self.zones[-1] / "energy_uj").write_text(f"{energy_uj}\n")
        (self.zones[-1] / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")

    def folder(self, path: str, name: str, **files: int | str) -> Path:
        folder = self.sys / path
        folder.mkdir(parents=True)
        for file, content in {"name": name, **files}.items():
            (folder / file).write_text(f"{content}\n")
        return folder

    def infer(self) -> None:
        self.inferences += 1
        self._pass(INFERENCE_S, 5_000)

    def sleep(self, seconds: float) -> None:
        self._pass(seconds, self.idle_uj)

    def _pass(self, seconds: float, spent_uj: int) -> None:
        self.now_s += seconds
        for zone in self.zones:
            counted = int((zone / "energy_uj").read_text()) + spent_uj
            (zone / "energy_uj").write_text(f"{counted % RANGE_UJ}\n")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "sys")
    monkeypatch.setattr(energy, "SYS", str(made.sys))
    monkeypatch.setattr(energy, "now", lambda: made.now_s)
    monkeypatch.setattr(energy, "IDLE_S", 0.5)
    monkeypatch.setattr(energy, "INTERVAL_S", 1e6)  # only the first and the last reading
    monkeypatch.setattr("edgeflow.ondevice.energy.time.sleep", made.sleep)
    return made


def test_rapl_packages_and_memory_count_over_the_end_of_their_range(world: World) -> None:
    world.zone("intel-rapl:0", "package-0", RANGE_UJ - 12_000)
    world.zone("intel-rapl:0:0", "core")
    world.zone("intel-rapl:0:1", "dram")
    world.zone("intel-rapl:1", "psys")
    world.zone("intel-rapl-mmio:0", "package-0")
    assert energy.measure(world.infer) == {
        "energy_mj": pytest.approx(2 * 5.0),
        "idle_power_w": pytest.approx(2 * 0.003 / 0.5),
        "energy_sensors": ["intel-rapl:0 package-0", "intel-rapl:0:1 dram"],
    }
    assert world.inferences == energy.BUSY_S / INFERENCE_S


def test_a_power_monitor_is_integrated_and_comes_before_rapl(world: World) -> None:
    world.zone("intel-rapl:0", "package-0")
    world.folder("class/hwmon/hwmon0", "coretemp", power1_input=9_000_000)
    world.folder("class/hwmon/hwmon1", "ina219", power1_input=4_000_000, in1_input=5_000)
    assert energy.measure(world.infer) == {
        "energy_mj": pytest.approx(4.0 * INFERENCE_S * 1e3),
        "idle_power_w": pytest.approx(4.0),
        "energy_sensors": ["ina219 channel 1"],
    }


CHANNELS = {"in1_input": 5_000, "curr1_input": 800, "in2_input": 3_300, "curr2_input": 100}
SUMS = {"in4_input": 80, "curr4_input": 900}


@pytest.mark.parametrize(
    ("labels", "watts", "names"),
    [
        ({}, 4.33, ["ina3221 channel 1", "ina3221 channel 2"]),
        ({"in1_label": "VDD_IN", "in2_label": "VDD_CPU_GPU_CV"}, 4.0, ["ina3221 VDD_IN"]),
    ],
)
def test_channels_are_volts_by_amperes_and_the_supply_holds_the_others(
    world: World, labels: dict[str, str], watts: float, names: list[str]
) -> None:
    world.folder("class/hwmon/hwmon0", "ina3221", **CHANNELS, **SUMS, **labels)
    found = energy.measure(world.infer)
    assert found is not None
    assert found["idle_power_w"] == pytest.approx(watts)
    assert found["energy_mj"] == pytest.approx(watts * INFERENCE_S * 1e3)
    assert found["energy_sensors"] == names


def test_power_that_changes_is_read_all_the_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "INTERVAL_S", 1e-3)
    readings, often = [0.0], threading.Event()

    def watts() -> float:
        world.now_s += 1.0
        readings.append(readings[-1] + 2.0)
        if len(readings) == 4:
            raise OSError("the bus is busy")
        if len(readings) > 5:
            often.set()
        return readings[-1]

    monitor = energy.Monitor("rising", watts)
    monitor.start()
    assert often.wait(60)
    joules = monitor.stop()
    assert joules == pytest.approx((readings[2] + readings[-1]) / 2 * (len(readings) - 3))


def test_a_machine_without_a_sensor_is_not_kept_busy(world: World) -> None:
    assert energy.measure(world.infer) is None
    world.zone("intel-rapl:0", "package-0")
    (world.sys / "class/powercap/intel-rapl:0/energy_uj").unlink()
    world.folder("class/hwmon/hwmon0", "ina3221", in1_enable=0)
    assert energy.measure(world.infer) is None
    assert world.inferences == 0


def test_what_cannot_be_read_hides_nothing_else(world: World) -> None:
    world.zone("intel-rapl:0", "package-0")
    (world.zones.pop() / "energy_uj").unlink()
    world.zone("intel-rapl:1", "package-1")
    world.idle_uj = 0
    found = energy.measure(world.infer)
    assert found is not None
    assert (found["energy_sensors"], found["idle_power_w"]) == (["intel-rapl:1 package-1"], 0.0)
    world.folder("class/hwmon/hwmon0", "nameless")
    (world.sys / "class/hwmon/hwmon0/name").unlink()
    world.folder("class/hwmon/hwmon1", "ina3221", in3_input=5_000, curr3_input=100)
    assert [sensor.name for sensor in energy.sensors()] == ["ina3221 channel 3"]


@pytest.mark.parametrize("kind", ["zone", "monitor"])
def test_a_sensor_that_fails_gives_no_figure(world: World, kind: str) -> None:
    if kind == "zone":
        world.zone("intel-rapl:0", "package-0")
    else:
        world.folder("class/hwmon/hwmon0", "ina226", power1_input=1)

    def pull_the_plug() -> None:
        world.now_s += energy.BUSY_S
        shutil.rmtree(world.sys)

    assert energy.measure(pull_the_plug) is None


def test_a_monitor_that_is_wired_the_other_way_round_gives_no_figure(world: World) -> None:
    world.folder("class/hwmon/hwmon0", "ina219", in1_input=5_000, curr1_input=-100)
    assert energy.measure(world.infer) is None


def test_it_is_python_3_7() -> None:
    ast.parse(Path(energy.__file__).read_text(), feature_version=(3, 7))
