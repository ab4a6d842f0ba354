"""Servers of the system: each is started by its test, on loopback, and ended with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgeflow.testing import openssh
from edgeflow.testing.openssh import Sshd
from tests.workflow.conftest import Project, make_project, shared_store

__all__ = ["shared_store"]

ENABLE = "to run it: tests/system/install.sh (as root)"


@contextmanager
def serve(folder: Path, *settings: str, home: Path, authorized: str = "") -> Iterator[Sshd]:
    """Run Debian's sshd for the user who runs the tests, see `openssh.serve`."""
    if not openssh.has_server():
        pytest.skip(f"needs OpenSSH's server; {ENABLE}")
    with openssh.serve(folder, *settings, home=home, authorized=authorized) as server:
        yield server


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with serve(tmp_path / "sshd", home=tmp_path / "board") as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, shared_store: Path) -> Iterator[Project]:
    made = make_project(tmp_path / "project", store=shared_store)
    yield made
    made.stop_devices()
