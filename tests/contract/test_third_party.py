"""A target in a package of its own, as its author makes, installs and tests it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from uv import find_uv_bin

from edgeflow.testing.trained import Trained
from tests.workflow.conftest import ROOT

PACKAGE = ROOT / "examples/third-party-target"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own: in the tests' environment, others would see it."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--offline", "--no-deps", "--no-build-isolation", "--target", str(folder))
    command = [find_uv_bin(), "pip", "install", *options, "--python", sys.executable, str(PACKAGE)]
    subprocess.run(command, check=True)
    return folder


def run(*command: str, installed: Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(installed), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_suite_passes(installed: Path, trained: Trained, tmp_path: Path) -> None:
    # As a worker of pytest-xdist, which takes the network that another one has trained.
    (tmp_path / "trained").symlink_to(trained.folder)
    (tmp_path / "trained.done").touch()
    options = ("-q", "-rs", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base"))
    text = run(
        *("-m", "pytest", *options),
        installed=installed,
        cwd=PACKAGE,
        PYTEST_XDIST_WORKER="gw0",
    )
    reasons = [line for line in text.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in reasons if "it has no `" not in line] == []


def test_it_is_a_kind_like_any_other(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(
        run("-m", "edgeflow", "target", "list", "--json", installed=installed, cwd=tmp_path)
    )
    (own,) = [kind for kind in listed if kind["kind"] == "packed-litert"]
    assert own["state"] == "ready"
    assert own["figures"][0]["gate"] == "packed_kb_max"
