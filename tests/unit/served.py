"""A project whose virtual device serves the tiny network."""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.cli.project import load_plan
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import open_device
from edgeflow.remote.virtual.layout import device_folders
from edgeflow.remote.virtual.start import STATE

CONFIG = """\
datasets:
  digits: {source: digits, limit: 200, calibration: 20}
models:
  tiny: {dataset: digits, architecture: {name: ds_cnn, width: 8}}
recipes:
  ptq-int8: {quantize: ptq-int8}
targets:
  pi: {kind: litert}
devices:
  bench: {target: pi, transport: virtual}
deployments:
  - {model: tiny, recipe: ptq-int8, devices: [bench]}
"""


@pytest.fixture(scope="session")
def served(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project that has deployed `packed` to its device, where it is current."""
    project = tmp_path_factory.mktemp("served")
    (project / "config.yaml").write_text(CONFIG)
    compiled = project / "results/targets/pi/tiny/ptq-int8"
    shutil.copytree(packed, compiled)
    before = Path.cwd()
    os.chdir(project)
    try:
        bundle = compiled / "bundle.tar"
        with open_device(load_plan(Path("config.yaml")).job("deploy", device="bench").slice) as it:
            bring(it, "tiny", bundle)
            it.activate("tiny", sha256_file(bundle))
        yield project
    finally:
        for folder in device_folders(project / STATE):
            if (address := folder.address()) is not None:
                os.kill(address.pid, signal.SIGTERM)
        os.chdir(before)


@pytest.fixture(name="project")
def served_project(served: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That project, as the working folder."""
    monkeypatch.chdir(served)
    return served
