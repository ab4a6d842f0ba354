"""The service as the host starts, asks and stops it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import ANY, Mock, call

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.artifact.hashing import sha256_file
from edgeflow.cli.app import app
from edgeflow.config.load import load_file
from edgeflow.config.service import Service
from edgeflow.deploy.agent_answer import Unserved
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import OpenDevice, connect
from edgeflow.deploy.service import cron_line, systemd_unit
from edgeflow.errors import ConfigError, DataError, DeployError, MissingToolError
from edgeflow.ondevice.client import Client
from edgeflow.plan import Plan
from edgeflow.remote.virtual.layout import Address
from edgeflow.validate.confirm import confirm
from tests.tiny_targets import section_of
from tests.unit.deploy.conftest import Lab
from tests.unit.report.samples import unit, validation
from tests.unit.service.releases import SHAPE, label_of, make_bundle

SAMPLE = np.full(SHAPE, 102, np.uint8)


def device(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["device", *arguments])


def config_of(address: Address, **service: Any) -> dict[str, Any]:
    it = {**section_of(address), "target": "pi", "trust": "transport", "service": service}
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
        "recipes": {"fp32": {}},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {"pi": it},
        "deployments": [{"model": "net", "recipe": "fp32", "devices": ["pi"]}],
    }


def write(config: dict[str, Any]) -> Plan:
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return Plan(load_file(Path("config.yaml")))


@pytest.fixture
def address(lab: Lab) -> Iterator[Address]:
    address = lab.device()
    write(config_of(address))
    yield address
    device("serve", "pi", "net", "--stop")


def passed(lab: Lab, address: Address, plan: Plan, bundle: Path) -> None:
    """Bring a bundle to the device, and let it pass its gates."""
    slice_ = plan.job("gate", device="pi", model="net").slice
    with connect(lab.endpoint(address)) as opened:
        bring(opened, "net", bundle)
    record = validation(unit("fp32", "pi", "pi"), ["a", "b"])
    record["bundle_sha256"] = sha256_file(bundle)
    Path("validation.json").write_text(json.dumps(record))
    confirm(slice_, "0", Path("validation.json"), Path("gates.json"))


def test_what_passes_its_gates_is_served(lab: Lab, address: Address, tmp_path: Path) -> None:
    first, second = (make_bundle(tmp_path, number) for number in (1, 2))
    plan = write(config_of(address, queue=3))
    passed(lab, address, plan, first)
    model_dir = lab.root(address) / "edgeflow/net"
    with Client(str(model_dir)) as client:
        kept = client.infer(SAMPLE, mark=True)
        assert kept["label"] == label_of(1)
        compiled = Path("results/targets/pi/net/fp32")
        compiled.mkdir(parents=True)
        (compiled / "bundle.tar").write_bytes(first.read_bytes())
        done = device("collect", "--model", "net")
        assert "pi: net: 1 new samples in collected/net" in done.stdout, done.stderr
        assert Path(f"collected/net/{kept['kept']}.npz").is_file()
        assert "pi: net: 0 new samples" in device("collect", "pi").stdout
        for suffix in ("npz", "json"):
            (model_dir / f"kept/{'0' * 64}.{suffix}").write_bytes(b"no sample")
        odd = device("collect", "pi")
        assert odd.exit_code == DataError.exit_code, "some were refused"
        assert "pi: net: refused 000000000000" in odd.stderr
        pid = client.health()["pid"]
        assert json.loads((model_dir / "run/service.json").read_text())["queue"] == 3

        passed(lab, address, plan, second)
        assert client.infer(SAMPLE)["label"] == label_of(2)
        assert client.health()["pid"] == pid, "it goes on from release to release"
        said = json.loads(device("serve", "pi", "net", "--status", "--json").stdout)["pi"]
        assert (said["running"], said["release"]) == (True, sha256_file(second))

        assert device("rollback", "pi", "net").exit_code == 0
        assert "serves " + sha256_file(first)[:12] in device("serve", "pi", "net").stdout
        assert client.infer(SAMPLE)["label"] == label_of(1)

        write(config_of(address, queue=4))
        assert device("serve", "pi", "net").exit_code == 0
        assert client.health()["pid"] != pid, "other options take another start"
    assert device("serve", "pi", "net", "--stop").stdout == "pi: net: stopped\n"
    assert device("serve", "pi", "net", "--stop").stdout == "pi: net: did not run\n"
    stopped = device("serve", "pi", "net", "--status")
    assert (stopped.exit_code, stopped.stdout) == (0, "pi: net: does not run: it was stopped\n")
    said = {it["what"]: it for it in json.loads(device("doctor", "--json").stdout)["pi"]}
    assert said["net: service"]["state"] == "missing"
    assert said["net: service"]["fix"] == "edgeflow device serve pi net"

    assert device("serve", "pi", "net").exit_code == 0
    with Client(str(model_dir)) as client:
        pid = client.health()["pid"]
    os.kill(pid, signal.SIGKILL)
    lab.wait_until(lambda: lab.is_gone(pid))
    died = device("serve", "pi", "net", "--status")
    assert died.exit_code == DeployError.exit_code
    assert f"does not run: it died (process {pid})" in died.stdout
    sick = device("doctor")
    assert sick.exit_code in (DeployError.exit_code, MissingToolError.exit_code)
    assert "edgeflow device logs pi" in sick.stdout


def test_a_service_that_the_configuration_dropped_is_named_and_ends(
    lab: Lab, address: Address, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed(lab, address, write(config_of(address)), make_bundle(tmp_path, 1))
    with Client(str(lab.root(address) / "edgeflow/net")) as client:
        pid = client.health()["pid"]
    config = config_of(address)
    del config["devices"]["pi"]["service"]
    write(config)
    said = {it["what"]: it for it in json.loads(device("doctor", "--json").stdout)["pi"]}
    assert said["net: service"]["state"] == "warning"
    fix = said["net: service"]["fix"]
    assert fix == "edgeflow device serve pi net --stop"
    unserved = Mock(wraps=OpenDevice.ask)
    monkeypatch.setattr(OpenDevice, "ask", lambda *it: unserved(*it))
    assert device(*fix.split()[2:]).stdout == "pi: net: stopped\n"
    assert lab.is_gone(pid)
    assert call(ANY, Unserved, "unserve", "net") in unserved.mock_calls, "nor at the next boot"
    assert "net: service" not in device("doctor").stdout


def test_a_removed_model_is_served_no_more(lab: Lab, address: Address, tmp_path: Path) -> None:
    passed(lab, address, write(config_of(address)), make_bundle(tmp_path, 1))
    with Client(str(lab.root(address) / "edgeflow/net")) as client:
        pid = client.health()["pid"]
    config = config_of(address)
    config["models"]["other"] = config["models"]["net"]
    config["deployments"][0]["model"] = "other"
    write(config)
    done = device("remove", "pi", "net")
    assert done.exit_code == 0, done.stderr
    assert lab.is_gone(pid)


def test_a_service_that_cannot_start_fails_the_gate(
    lab: Lab, address: Address, tmp_path: Path
) -> None:
    plan = write(config_of(address))
    passed(lab, address, plan, make_bundle(tmp_path, 1))
    engine = lab.root(address) / "edgeflow/net/current/engine.py"
    engine.chmod(0o644)
    engine.write_text("raise RuntimeError('no such chip')")
    device("serve", "pi", "net", "--stop")
    done = device("serve", "pi", "net")
    assert done.exit_code == DeployError.exit_code
    assert "does not start: RuntimeError: no such chip" in done.stderr


def test_its_options_rebuild_nothing_and_measure_nothing(address: Address) -> None:
    plans = [write(config_of(address, **it)) for it in ({}, {"queue": 3})]
    jobs = [
        (
            plan.job("bundle", target="pi", model="net", recipe="fp32").slice,
            plan.job("deploy", device="pi").slice,
            plan.job("validate", device="pi", model="net").slice,
        )
        for plan in plans
    ]
    assert jobs[0] == jobs[1]
    gates = [plan.job("gate", device="pi", model="net").slice for plan in plans]
    assert gates[0] != gates[1]


def test_a_port_serves_one_model(address: Address) -> None:
    config = config_of(address, http_port=8080)
    config["models"]["other"] = config["models"]["net"]
    config["deployments"].append({"model": "other", "recipe": "fp32", "devices": ["pi"]})
    with pytest.raises(ConfigError, match="2 models are deployed there, and each has a service"):
        write(config)


def test_what_the_device_takes_by_default_is_what_the_configuration_says() -> None:
    from edgeflow.ondevice.service import DEFAULTS

    assert {**Service().model_dump(mode="json"), "unit": {}} == DEFAULTS


def test_systemd_and_cron_start_it() -> None:
    unit = systemd_unit("/home/a b%/edgeflow/net", "python3", system=False)
    assert (
        'ExecStart="/usr/bin/env" "python3" "-B" "/home/a b%%/edgeflow/net/current/runner.py"'
        in unit
    )
    assert "WantedBy=default.target" in unit
    assert "WantedBy=multi-user.target" in systemd_unit("/srv/net", "/opt/bin/python", system=True)
    assert cron_line("/home/a b%/net", "python3") == (
        r"@reboot python3 -B '/home/a b\%/net/current/runner.py' serve '/home/a b\%/net' start"
        " >/dev/null 2>&1"
    )
