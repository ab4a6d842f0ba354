"""What an update system brought ends in the state that a deployment over SSH would leave."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edgeflow.handover.order import Payload
from tests.unit.handover.conftest import SICK, bundle_of, payload_of


class Device:
    """A folder that edgeflow owns, and an update system that hands over to it."""

    def __init__(self, folder: Path, python: str) -> None:
        self.root, self.work, self.python = folder / "edgeflow", folder / "work", python
        self.root.mkdir()
        self.model = self.root / "net"

    def brought(self, name: str, **more: Any) -> Payload:
        return payload_of(bundle_of(name, **more), self.root)

    def hand_over(self, state: str, payload: Payload) -> dict[str, Any]:
        """Let the agent in the artifact do a state."""
        folder = self.work / payload.sha256
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in payload.files.items():
            (folder / name).write_bytes(data)
        argv = [self.python, "-I", str(folder / "agent.pyz"), "hand-over", state, str(folder)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode == 0) is ("error" not in answer), done
        return answer

    def current(self) -> str | None:
        link = self.model / "current"
        return link.readlink().name if link.is_symlink() else None

    def verbs(self) -> list[str]:
        lines = (self.model / "audit.log").read_text().splitlines()
        return [json.loads(line)["verb"] for line in lines]


@pytest.fixture
def device(tmp_path: Path, python: str) -> Device:
    return Device(tmp_path, python)


def test_an_update_is_on_trial_until_its_commit(device: Device) -> None:
    a, b = device.brought("a"), device.brought("b")
    assert device.hand_over("install", a)["state"] == "healthy"
    assert device.hand_over("commit", a) == {"state": "confirmed", "current": a.sha256}
    device.hand_over("install", b)
    assert device.current() == b.sha256
    assert json.loads((device.model / "journal.json").read_text())["pending"]
    assert device.hand_over("rollback", b)["current"] == a.sha256
    assert device.current() == a.sha256
    assert not (device.model / "handover.json").exists()
    assert device.verbs()[:3] == ["install", "switch", "confirm"]


def test_what_is_in_use_already_is_no_reason_to_take_it_back(device: Device) -> None:
    a, b = device.brought("a"), device.brought("b")
    assert device.hand_over("deliver", a) == {"state": "confirmed", "current": a.sha256}
    assert device.hand_over("install", a)["changed"] is False
    assert device.hand_over("rollback", a)["current"] == a.sha256
    assert device.hand_over("rollback", a)["current"] == a.sha256
    device.hand_over("install", b)
    device.hand_over("install", b)  # again, before anybody has committed it
    assert device.hand_over("rollback", b)["current"] == a.sha256


def test_a_release_that_fails_is_taken_back_and_told(device: Device) -> None:
    a, bad = device.brought("a"), device.brought("bad", runner=SICK)
    device.hand_over("deliver", a)
    answer = device.hand_over("deliver", bad)
    assert answer["error"] == "unhealthy"
    assert device.current() == a.sha256
    assert device.hand_over("deliver", device.brought("c"))["state"] == "confirmed"


def test_what_is_damaged_changes_nothing(device: Device) -> None:
    a = device.brought("a")
    device.hand_over("deliver", a)
    cut = payload_of(bundle_of("b")[:-600], device.root)
    files = {**device.brought("b").files, "bundle.tar": cut.files["bundle.tar"]}
    damaged = Payload(files=files, model="net", sha256=device.brought("b").sha256)
    assert device.hand_over("deliver", damaged)["error"] == "corrupt"
    for order in (b"{", b"[]", b'{"format": 2}', files["order.json"].replace(b'"net"', b'"../x"')):
        bad = Payload(files={**a.files, "order.json": order}, model="net", sha256="0" * 64)
        assert device.hand_over("deliver", bad)["error"] == "corrupt"
    assert device.current() == a.sha256
    assert sorted(path.name for path in device.root.iterdir()) == ["bin", "net"]


def test_a_device_without_the_folder_says_so(device: Device) -> None:
    stranger = payload_of(bundle_of("a"), device.root / "other")
    answer = device.hand_over("deliver", stranger)
    assert answer["error"] == "absent"
    assert "create it" in answer["detail"]
    assert not (device.root / "other").exists()
