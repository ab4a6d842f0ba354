"""Real SSH servers on loopback, in folders of the test run's own."""

import contextlib
import hashlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed, packed_path
from edgeflow.bundle.archive import write_tar
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import connect
from edgeflow.ondevice import agent
from edgeflow.remote.inventory import Endpoint, endpoint, parse_device
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import Address, Behaviour, DeviceFolder, device_folders
from tests.tiny_targets import section_of
from tests.unit.deploy.trials import in_this_process

PASSES = (
    b"import sys, os\n"
    b"if sys.argv[1:] == ['golden']:\n"
    b'    print(\'{"passed": true, "max_abs": {"output": 0.0}}\'); sys.exit()\n'
)
"""Start of a runner whose golden vectors pass."""
RUNNER = PASSES + b"print(os.path.basename(os.getcwd()), *sys.argv[1:])\n"
OUTPUT = {
    "name": "output", "shape": [1, 2], "dtype": "int8", "scale": 1.0, "zero_point": 0,
    "tolerance": 0.0,
}  # fmt: skip
Slice = dict[str, Any]
Answer = tuple[int, dict[str, Any]]
Call = Callable[..., Answer]


class Lab:
    """A project folder with virtual devices, and what tests do with them."""

    def __init__(self, project: Path) -> None:
        self.state = project / start.STATE
        self._count = 0

    def device(self, idle_s: float = 60.0) -> Address:
        """Start a fresh virtual device."""
        self._count += 1
        name = f"pi{self._count}"
        return start.ensure(name, Path(sys.executable), self.state, idle_s)

    def root(self, address: Address) -> Path:
        """Return the device's file system."""
        return DeviceFolder(address.identity.parent).root

    def behave(self, address: Address, **behaviour: Any) -> None:
        """Let the device behave otherwise from now on."""
        DeviceFolder(address.identity.parent).behave(Behaviour(**behaviour))

    def is_gone(self, pid: int) -> bool:
        """Tell whether a process has ended."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        return stat.rpartition(")")[2].split()[0] == "Z"

    def slice(self, address: Address, **changes: Any) -> Slice:
        """Return a deploy step's slice for a device that is configured as a real one."""
        device = {**section_of(address), "timeout_s": 60.0, "run_timeout_s": 300.0}
        name = address.identity.parent.name
        return {"name": name, "device": {**device, **changes}}

    def serve(self, address: Address, bundle: Path) -> str:
        """Bring a bundle of `net` to a device and make it current; return its digest."""
        sha = sha256_file(bundle)
        with connect(self.endpoint(address)) as device:
            bring(device, "net", bundle)
            device.activate("net", sha)
            device.prune("net")
        return sha

    def current(self, address: Address) -> str | None:
        """Return which release of `net` is current on a device."""
        link = self.root(address) / "edgeflow" / "net" / "current"
        return link.readlink().name if link.is_symlink() else None

    def endpoint(self, address: Address, **changes: Any) -> Endpoint:
        """Return the endpoint of a device's slice."""
        slice_ = self.slice(address, **changes)
        return endpoint(slice_["name"], parse_device(slice_["device"]))

    def bare_python(self, address: Address, path: Path) -> str:
        """Give the device an interpreter with the standard library alone; return its path.

        Args:
            path: where it finds programs.
        """
        program = self.root(address) / "bin" / "bare-python"
        program.parent.mkdir(exist_ok=True)
        base = Path(sys.base_prefix) / "bin"
        own = program.parent / "bare"
        (own / "bin").mkdir(parents=True)
        (own / "pyvenv.cfg").write_text(f"home = {base}\n")
        (own / "bin/python").symlink_to(base / "python3")
        program.write_text(f'#!/bin/sh\nPATH={path} exec {own}/bin/python "$@"\n')
        program.chmod(0o755)
        return "bin/bare-python"

    def logins(self) -> int:
        """Return how often anybody wanted to log in to any of the devices."""
        return (self.state / "server.log").read_text().count("wants to log in")

    def listens(self, port: int) -> bool:
        """Tell whether a port answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def is_closed(self, port: int) -> bool:
        """Tell whether a port does not answer any more."""
        return not self.listens(port)

    def wait_until(self, holds: Callable[[], object]) -> None:
        """Wait for something to become true, on a busy machine as long as a test may run."""
        while not holds():
            time.sleep(0.01)

    def end(self) -> None:
        """End the server and wait until its ports are closed."""
        for folder in device_folders(self.state):
            address = folder.address()
            if address is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                os.kill(address.pid, signal.SIGTERM)
            self.wait_until(partial(self.is_closed, address.port))


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("project"))
    yield lab
    lab.end()


@pytest.fixture
def lab(shared_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """One server for all tests; each takes fresh devices."""
    monkeypatch.chdir(tmp_path)
    return shared_lab


@pytest.fixture
def own_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A server that the test may kill; the working directory is its project."""
    monkeypatch.chdir(tmp_path)
    lab = Lab(tmp_path)
    yield lab
    lab.end()


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The agent as a device has it, in one file."""
    path = tmp_path_factory.mktemp("bin") / "agent.pyz"
    path.write_bytes(agent_program())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder on a device, for the agent alone."""
    (tmp_path / "net" / "incoming").mkdir(parents=True)
    return tmp_path / "net"


@pytest.fixture
def call(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run a verb of the agent on that folder, without supervisors; return exit code and answer."""
    in_this_process(monkeypatch.setattr)

    def run(verb: str, *arguments: str) -> Answer:
        code = agent.main([verb, str(folder), *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle with a payload; equal payloads give equal bundles."""

    def make(
        payload: bytes = b"weights",
        model: str = "net",
        runner: bytes = RUNNER,
        *,
        pack: bool = False,
        sign: Callable[[bytes], bytes] | None = None,
        **more: object,
    ) -> Path:
        members = {"runner.py": runner, "data/model.tflite": payload}
        files = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in members.items()
        }
        manifest = {
            "format": 1,
            "target": {"kind": "litert"},
            "model": model,
            "recipe": "int8",
            "quantize": "ptq-int8",
            "labels": ["a", "b"],
            "engine_options": {},
            "io": {"inputs": [], "outputs": [OUTPUT]},
            "decoding": {},
            "meaning": {"task": "classification"},
            "bit_exact": True,
            "files": files,
            **more,
        }
        text = json.dumps(manifest).encode()
        first = {"manifest.json": text, **({"manifest.json.sig": sign(text)} if sign else {})}
        content = b"".join([payload, runner, *first.values()])
        path = tmp_path / f"{hashlib.sha256(content).hexdigest()[:8]}.tar"
        write_tar(path, {**first, **members})
        if pack:
            packed_path(path).write_bytes(packed(path.read_bytes()))
        return path

    return make
