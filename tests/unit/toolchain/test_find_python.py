"""Which Python a toolchain of its own gets."""

import sys
from pathlib import Path

import pytest

from edgeflow.errors import MissingToolError
from edgeflow.toolchain.environment import find_python

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"
FAKE = "#!/bin/sh\necho 3.77\n"


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_uv = tmp_path / "uv"
    fake_uv.write_text("#!/bin/sh\nexit 1\n")
    fake_uv.chmod(0o755)
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(fake_uv))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def interpreter(path: Path, text: str = FAKE) -> Path:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_edgeflows_own_where_it_is_of_that_version() -> None:
    assert find_python(OWN) == Path(sys.executable)


def test_one_on_the_path_before_one_of_pyenv(tmp_path: Path) -> None:
    second = interpreter(tmp_path / "pyenv/versions/3.77.1/bin/python")
    assert find_python("3.77") == second
    first = interpreter(tmp_path / "bin/python3.77")
    assert find_python("3.77") == first
    first.write_text("#!/bin/sh\nexit 127\n")  # as a shim of pyenv does for a version that is off
    assert find_python("3.77") == second


def test_none_at_all_says_how_to_install_it() -> None:
    with pytest.raises(MissingToolError, match=r"no Python 3\.77") as caught:
        find_python("3.77")
    assert caught.value.hint == "run `uv python install 3.77`"
