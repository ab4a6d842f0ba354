"""A device that runs bundles in a folder of this machine, with faults on demand."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.device.trials import Rejection
from edgeflow.errors import EdgeflowError
from edgeflow.validate import confirm, run
from tests.unit.packed import unpack


@dataclass
class FakeDevice:
    """What validate and gate need of a device.

    Attributes:
        throttled: what the next measurements say about throttling; false once it is empty.
        changes: whether an activation changes what is current.
        rejection: what a rejection leaves.
        fails: what a rejection ends in instead.
        damage: whether outputs change on their way back.
        banner: what the runner prints before every answer.
        lie: changes the runner's record before it is sent.
        calls: the verbs that were called, in order.
    """

    release: Path
    home: Path
    throttled: list[bool] = field(default_factory=list)
    changes: bool = True
    rejection: Rejection = field(default_factory=lambda: Rejection(current=None, rolled_back=False))
    fails: EdgeflowError | None = None
    damage: bool = False
    banner: str = ""
    lie: Callable[[dict[str, Any]], object] = lambda _: None
    calls: list[tuple[str, ...]] = field(default_factory=list)
    endpoint: Any = field(
        default_factory=lambda: SimpleNamespace(
            name="bench",
            title="device bench",
            run_timeout_s=60.0,
            shell_command=lambda: "ssh bench true",
            emulated=False,
        )
    )

    def verify(self, model: str, sha: str) -> None:
        self.calls.append(("verify", model, sha))

    def activate(self, model: str, sha: str, *, allow_downgrade: bool) -> bool:
        allowed = ("--allow-downgrade",) if allow_downgrade else ()
        self.calls.append(("activate", model, sha, *allowed))
        return self.changes

    def prune(self, model: str) -> None:
        self.calls.append(("prune", model))

    def reject(self, model: str, sha: str, reason: str) -> Rejection:
        self.calls.append(("reject", model, sha, reason))
        if self.fails:
            raise self.fails
        return self.rejection

    def model_dir(self, model: str) -> str:
        return str(self.home)

    def send_data(self, path: Path) -> str:
        self.calls.append(("send_data", sha256_file(path)))
        (self.home / "data.npy").write_bytes(path.read_bytes())
        return str(self.home / "data.npy")

    def run_release(self, model: str, sha: str, argv: Sequence[str], timeout_s: float) -> str:
        self.calls.append(("run_release", model, sha))
        command = [sys.executable, "-B", str(self.release / "runner.py"), *argv]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=True)
        record = json.loads(done.stdout)
        record["conditions"]["throttled"] = bool(self.throttled and self.throttled.pop(0))
        self.lie(record)
        return self.banner + json.dumps(record)

    def fetch(self, remote: str, local: Path, max_bytes: int) -> None:
        data = Path(remote).read_bytes()
        local.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if self.damage else data)

    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls]


@pytest.fixture
def device(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """The device that validate and gate get, whichever they ask for."""
    release = unpack(packed / "bundle.tar", tmp_path / "rel")
    return only_device(FakeDevice(release=release, home=tmp_path), tmp_path, monkeypatch)


def only_device(fake: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """Let validate and gate get a device, whichever they ask for; return it."""
    monkeypatch.chdir(tmp_path)  # measurements are kept in the working folder

    @contextmanager
    def open_fake(slice_: Mapping[str, Any]) -> Iterator[FakeDevice]:
        assert slice_["name"] == "bench"
        yield fake

    monkeypatch.setattr(run, "open_device", open_fake)
    monkeypatch.setattr(confirm, "open_device", open_fake)
    return fake
