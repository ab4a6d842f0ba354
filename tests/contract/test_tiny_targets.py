"""The contract, over targets of a package that is installed beside edgeflow.

In a process of its own: in this one they would be targets of every other test.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgeflow.remote.virtual import start
from edgeflow.testing.trained import Trained
from edgeflow.toolchain.base import Host
from tests import tiny_targets
from tests.pythons import needed_version

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
import json
import os

from edgeflow.testing.contract import TargetContract


class TestTiny(TargetContract):
    kinds = (os.environ["KIND"],)

    def options(self, kind):
        return {"kind": kind, **json.loads(os.environ["OPTIONS"])}

    def compile_host(self, kind):
        return json.loads(os.environ["COMPILE_HOST"])
"""


@pytest.fixture
def builder(tmp_path: Path) -> Iterator[Host]:
    """A compile host with the compiler of `tiny-hosted`."""
    state = tmp_path / start.STATE
    host = tiny_targets.install_compiler(state, "1.0")
    address = start.ensure(tiny_targets.BUILDER, Path(sys.executable), state)
    yield {"name": "builder", **tiny_targets.as_real(host)}
    os.kill(address.pid, 15)


def options_of(kind: str) -> dict[str, str]:
    if kind != "tiny-old-python":
        return {}
    return {"python": needed_version()}


@pytest.mark.parametrize("kind", tiny_targets.KINDS)
def test_a_tiny_target_keeps_the_contract(
    kind: str, trained: Trained, builder: Host, tmp_path: Path
) -> None:
    tiny_targets.install(tmp_path)
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_tiny.py").write_text(SUITE)
    given = {
        "PYTHONPATH": str(tmp_path),
        "TRAINED": str(trained.folder),
        "EDGEFLOW_TOOLCHAINS": str(tmp_path / "toolchains"),
        "KIND": kind,
        "OPTIONS": json.dumps(options_of(kind)),
        "COMPILE_HOST": json.dumps(builder if kind == "tiny-hosted" else None),
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "test_tiny.py"],
        cwd=tmp_path,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    needless = {"it has no `infer_many`", "it has no `fit`", "it has no `profile`"}
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert not [line for line in skipped if not any(why in line for why in needless)], done.stdout
