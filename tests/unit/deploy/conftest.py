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
from pathlib import Path
from typing import Any

import pytest

from edgeflow.bundle.archive import write_tar
from edgeflow.deploy import virtual
from edgeflow.testing.virtual_layout import Address, device_folders

RUNNER = b"import sys, os\nprint(os.path.basename(os.getcwd()), *sys.argv[1:])\n"

MakeBundle = Callable[..., Path]
Options = Callable[..., dict[str, Any]]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def end_server(state: Path) -> None:
    """End the server of a state folder and wait until its port is closed."""
    for folder in device_folders(state):
        address = folder.address()
        if address is None:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(address.pid, signal.SIGTERM)
        wait_until(lambda port=address.port: not listens(port))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(holds: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    yield folder
    end_server(folder / virtual.STATE)


@pytest.fixture
def project(shared_project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory whose virtual devices all tests share."""
    monkeypatch.chdir(shared_project)
    return shared_project


@pytest.fixture
def own_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a server that the test may kill."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    end_server(tmp_path / virtual.STATE)


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Write a bundle of a runner and a payload of the given bytes."""

    def make(payload: bytes = b"weights", model: str = "net", runner: bytes = RUNNER) -> Path:
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
            "entry": "runner.py",
            "engine": {},
            "io": {},
            "preprocess": {"scale": 1.0},
            "tolerance": 0.0,
            "bit_exact": True,
            "files": files,
            "signature": None,
        }
        path = tmp_path / f"bundle-{hashlib.sha256(payload + runner).hexdigest()[:8]}.tar"
        write_tar(path, {"manifest.json": json.dumps(manifest).encode(), **members})
        return path

    return make


def virtual_options(name: str, **changes: Any) -> dict[str, Any]:
    device = {
        "transport": "virtual",
        "environment": None,
        "timeout_s": 10.0,
        "run_timeout_s": 60.0,
    }
    return {"name": name, "store": "unused", "device": {**device, **changes}}


def ssh_options(name: str, address: Address, **changes: Any) -> dict[str, Any]:
    """Options of a device that is configured as a real one."""
    device = {
        "transport": "ssh",
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "host_key": address.host_key,
        "identity": str(address.identity),
        "path": "edgeflow",
        "python": "python3",
        "timeout_s": 10.0,
        "run_timeout_s": 60.0,
    }
    return {"name": name, "store": "unused", "device": {**device, **changes}}


@pytest.fixture
def options() -> Options:
    return virtual_options


@pytest.fixture
def real_options() -> Options:
    return ssh_options


@pytest.fixture
def pi(project: Path, request: pytest.FixtureRequest) -> Address:
    """A fresh device on the shared server, named after the test."""
    name = "".join(c for c in request.node.name.lower() if c.isalnum())[:40]
    return virtual.ensure(name, Path(sys.executable))


def root_of(address: Address) -> Path:
    return address.identity.parent / "root"
