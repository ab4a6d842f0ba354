"""Devices that announce themselves: found on loopback, shown to be pasted."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner
from zeroconf import ServiceInfo, Zeroconf

from edgeflow.cli.app import app
from edgeflow.remote.discover import SERVICE, _announced
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import Address
from edgeflow.testing.virtual_devices import stop_devices

LOOPBACK = "127.0.0.1"


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Address]:
    """A device that announces its SSH server on loopback."""
    monkeypatch.chdir(tmp_path)
    address = start.ensure("pi", Path(sys.executable))
    with Zeroconf(interfaces=[LOOPBACK]) as responder:
        responder.register_service(
            ServiceInfo(
                SERVICE, f"Kitchen Pi.{SERVICE}", port=address.port,
                addresses=[socket.inet_aton(LOOPBACK)], server="kitchen-pi-nowhere.local.",
            )
        )  # fmt: skip
        yield address
    stop_devices(tmp_path)


def test_a_device_is_found_and_shown_with_its_key(announced: Address) -> None:
    # Nobody answers the same question again within a second, and a loaded machine later than that.
    options = ["device", "discover", "--interface", LOOPBACK, "--wait-s", "5"]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0, done.output
    section = yaml.safe_load(done.stdout)["devices"]["kitchen-pi"]
    assert section == {
        "target": "TARGET", "transport": "ssh", "host": LOOPBACK, "port": announced.port,
        "user": "USER", "host_key": announced.host_key, "identity": "~/.ssh/edgeflow",
    }  # fmt: skip
    assert "# SHA256:" in done.stdout
    said = json.loads(CliRunner().invoke(app, [*options, "--json"]).stdout)
    assert [(it["name"], it["device"]) for it in said] == [("kitchen-pi", None)]


@pytest.mark.parametrize("server", ["x; rm -rf", "a\nb", "-o.local", ""])
def test_a_name_that_is_none_is_not_taken(server: str) -> None:
    found = _announced(f"It's: [a]\n.{SERVICE}", server, 22, ["fe80::1", "10.0.0.7"])
    assert found is not None
    assert (found.name, found.host) == ("it-s-a", "10.0.0.7")
    assert _announced(f"!.{SERVICE}", "x", 22, ["10.0.0.7"]) is None
    assert _announced(f"a.{SERVICE}", "", 22, []) is None
