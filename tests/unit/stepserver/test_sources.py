"""Code that changes under a warm process is not forked any more."""

import os
import sys
import types
from pathlib import Path

import pytest

from edgeflow.stepserver.sources import Loaded


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "fake.py"
    file.write_text("a = 1\n")
    packages = tmp_path / "site-packages"
    packages.mkdir()
    fake = types.ModuleType("edgeflow.fake")
    fake.__file__ = str(file)
    monkeypatch.setitem(sys.modules, "edgeflow.fake", fake)
    monkeypatch.syspath_prepend(packages)
    return file


def test_an_edit_is_seen_whatever_its_time_says(module: Path) -> None:
    with Loaded.watching() as loaded:
        pass
    assert loaded.is_current()
    times = module.stat()
    module.write_text("a = 2\n")
    os.utime(module, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert not loaded.is_current()


def test_an_edit_while_the_module_is_imported_counts(module: Path) -> None:
    with Loaded.watching() as loaded:
        module.write_text("a = 2\n")
    assert not loaded.is_current()


def test_another_version_of_a_library_counts(module: Path) -> None:
    with Loaded.watching() as loaded:
        pass
    (module.parent / "site-packages" / "numpy-9.dist-info").mkdir()
    assert not loaded.is_current()


def test_code_that_goes_away_counts(module: Path) -> None:
    with Loaded.watching() as loaded:
        pass
    module.unlink()
    assert not loaded.is_current()
