"""What a device is, asked over SSH."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgeflow.deploy import facts as deploy_facts
from edgeflow.deploy.facts import of_device, of_this_machine
from edgeflow.errors import MissingToolError
from edgeflow.ondevice import energy
from tests.edge_tpu import install_pycoral

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab


def test_a_device_says_what_it_is(lab: "Lab") -> None:
    here, there = of_this_machine(), of_device(lab.endpoint(lab.device()))
    assert there.instruction_sets == here.instruction_sets
    assert (there.cpu, there.machine) == (here.cpu, here.machine)
    assert "numpy" in there.packages
    assert there.energy_sensors == here.energy_sensors


def test_energy_sensors_are_named(
    lab: "Lab", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone = tmp_path / "class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in {"name": "package-0", "max_energy_range_uj": "9", "energy_uj": "1"}.items():
        (zone / name).write_text(text)
    monkeypatch.setattr(energy, "SYS", str(tmp_path))
    assert of_this_machine().energy_sensors == ["intel-rapl:0 package-0"]
    there = deploy_facts.ENERGY.replace('SYS = "/sys"', f"SYS = {str(tmp_path)!r}")
    monkeypatch.setattr(deploy_facts, "ENERGY", there)
    assert of_device(lab.endpoint(lab.device())).energy_sensors == ["intel-rapl:0 package-0"]


def test_one_without_python_is_missing_it(lab: "Lab") -> None:
    endpoint = replace(lab.endpoint(lab.device()), python="no-such-python")
    with pytest.raises(MissingToolError, match="cannot run no-such-python"):
        of_device(endpoint)


@pytest.mark.parametrize("module", ["utils/edgetpu.py", "reef.py"])
def test_a_pycoral_that_is_not_googles_is_known_on_a_device_too(
    lab: "Lab", tmp_path: Path, module: str
) -> None:
    install_pycoral(tmp_path / "packages", module)
    device = lab.device()
    lab.behave(device, login=f"export PYTHONPATH={tmp_path}/packages")
    found = of_device(lab.endpoint(device))
    assert found.packages["pycoral"] == "1.0"
    assert found.unrelated_pycoral == (module == "reef.py")
