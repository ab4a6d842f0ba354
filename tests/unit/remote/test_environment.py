"""Environments of virtual devices: built once, rebuilt after an unfinished build."""

import json
import sys
from pathlib import Path

import pytest

from edgeflow.errors import MissingToolError
from edgeflow.remote import environment
from edgeflow.toolchain.environment import FOLDER
from tests.pythons import another_python, needed_version

FAKE_UV = """#!{python}
import json, os, pathlib, sys
with open({log!r}, "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "venv":
    bin = pathlib.Path(sys.argv[-1], "bin")
    bin.mkdir(parents=True)  # fails where an unfinished build was not cleared away
    (bin / "python").write_text("interpreter")
elif "broken" in pathlib.Path(sys.argv[-1]).read_text():
    sys.exit("\\x1b[31merror\\x1b[0m: no such package: broken")
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace uv by a program that notes how it was called."""
    log, fake = tmp_path / "calls", tmp_path / "uv"
    fake.write_text(FAKE_UV.format(python=sys.executable, log=str(log)))
    fake.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(fake))
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    return log


def commands(log: Path) -> list[list[str]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_lock_is_installed_once(calls: Path, tmp_path: Path) -> None:
    lock = tmp_path / "device.txt"
    lock.write_text("numpy==2.3.0\n")
    python = environment.device_python(str(lock))
    assert python.read_text() == "interpreter"
    assert environment.device_python(str(lock)) == python
    assert python.is_relative_to(tmp_path / "cache")
    venv, install = commands(calls)
    assert venv == ["venv", "--quiet", "--python", sys.executable, str(python.parent.parent)]
    assert install == [
        *("pip", "install", "--quiet", "--compile-bytecode"),
        *("--python", str(python), "--requirements", str(lock)),
    ]


def test_a_lock_may_be_for_another_python(calls: Path, tmp_path: Path) -> None:
    version = needed_version()
    lock = tmp_path / "device.txt"
    lock.write_text("numpy==1.19.5\n")
    python = environment.device_python(str(lock), version=version)
    assert environment.device_python(str(lock)) != python
    assert commands(calls)[0][3] == str(another_python())


def test_another_lock_is_another_environment(calls: Path, tmp_path: Path) -> None:
    lock = tmp_path / "device.txt"
    lock.write_text("numpy==2.3.0\n")
    first = environment.device_python(str(lock))
    lock.write_text("numpy==2.3.1\n")
    assert environment.device_python(str(lock)) != first
    assert len(commands(calls)) == 4


def test_a_failed_build_is_explained_and_not_taken_for_done(calls: Path, tmp_path: Path) -> None:
    lock = tmp_path / "device.txt"
    lock.write_text("broken==1\n")
    for _ in range(2):
        with pytest.raises(MissingToolError, match="no such package: broken") as caught:
            environment.device_python(str(lock))
        assert "\x1b" not in caught.value.message
    assert len(commands(calls)) == 4


def test_a_missing_lock_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingToolError, match=r"absent\.txt"):
        environment.device_python(str(tmp_path / "absent.txt"))


def test_without_a_lock_the_device_runs_edgeflows_own_environment(tmp_path: Path) -> None:
    assert environment.device_python(None) == Path(sys.executable)
