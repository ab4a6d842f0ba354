"""The whole way to a device behind OpenSSH's own server."""

import copy
import json
import sys
from typing import Any

from edgeflow.testing.openssh import Sshd
from tests.workflow.conftest import CONFIG, Project


def config_for(sshd: Sshd) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    config["devices"] = {
        "pi-1": {
            "target": "pi",
            "transport": "ssh",
            "host": "127.0.0.1",
            "port": sshd.port,
            "user": sshd.user,
            "host_key": sshd.host_key,
            "identity": str(sshd.identity),
            "path": str(sshd.home),
            "python": sys.executable,
            "trust": "transport",
        }
    }
    config["deployments"] = config["deployments"][:1]
    return config


def test_a_model_is_deployed_measured_and_left_alone(project: Project, sshd: Sshd) -> None:
    project.write_config(config_for(sshd))
    project.build()
    record = json.loads((project.folder / "results/devices/pi-1/tiny/validation.json").read_text())
    assert record["transport"] == "ssh"
    assert record["parity"]["share"] == 1.0
    assert (sshd.home / "tiny/current/runner.py").is_file()
    project.build("--forcerun", "deploy")
    deployed = [event for event in project.events() if event["step"] == "deploy"]
    assert [event["changed"] for event in deployed] == [True, False]
    assert deployed[0]["sent_bytes"] > 0
    assert deployed[1]["sent_bytes"] == 0


def test_another_host_key_is_refused_before_anything_is_sent(project: Project, sshd: Sshd) -> None:
    config = config_for(sshd)
    config["devices"]["pi-1"]["host_key"] = sshd.identity.with_suffix(".pub").read_text().strip()
    project.write_config(config)
    result = project.command("edgeflow", "run", "--", "--cores", "2")
    assert result.returncode == 5
    assert "SHA256:" in result.stdout + result.stderr
    assert not sshd.home.exists()
    log = (sshd.identity.parent / "log").read_text()
    assert "Accepted" not in log


def test_the_key_to_pin_is_shown(project: Project, sshd: Sshd) -> None:
    result = project.command("edgeflow", "device", "trust", "127.0.0.1", "--port", str(sshd.port))
    assert result.returncode == 0
    assert f"host_key: {sshd.host_key}" in result.stdout
