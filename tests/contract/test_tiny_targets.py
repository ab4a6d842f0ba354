"""The contract, over targets of a package that is installed beside edgeflow.

In a process of its own: in this one they would be targets of every other test.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgeflow.testing.trained import Trained
from tests import tiny_targets

CONFTEST = """
import os
from pathlib import Path

import pytest

from edgeflow.testing.trained import Trained


@pytest.fixture(scope="session")
def trained():
    return Trained(folder=Path(os.environ["TRAINED"]))
"""
SUITE = """
from edgeflow.testing.contract import TargetContract


class TestTiny(TargetContract):
    kinds = ({kind!r},)
"""


@pytest.mark.parametrize("kind", tiny_targets.KINDS)
def test_a_tiny_target_keeps_the_contract(kind: str, trained: Trained, tmp_path: Path) -> None:
    tiny_targets.install(tmp_path)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_tiny.py").write_text(SUITE.format(kind=kind))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_tiny.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "TRAINED": str(trained.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout
