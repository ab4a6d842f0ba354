import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIG = """\
datasets:
  digits: {source: digits, limit: 200, calibration: 20}
models:
  cnn: {dataset: digits, architecture: {name: ds_cnn, width: 8}}
recipes:
  fp32: {}
  int8: {quantize: ptq-int8}
targets:
  pi: {kind: litert}
  intel: {kind: openvino}
devices:
  pi-1: {target: pi, transport: virtual}
  pc-1: {target: intel, transport: virtual}
deployments:
  - {model: cnn, recipe: int8, devices: [pi-1, pc-1], gates: {accuracy_drop_max: 0.01}}
"""

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a valid config.yaml."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def cli(project: Path) -> Cli:
    """Run the command line in the project, as a user does."""

    def run(*arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        program = "from edgeflow.cli.app import main; main()"
        return subprocess.run(
            [sys.executable, *options, "-c", program, *arguments],
            cwd=project, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run
