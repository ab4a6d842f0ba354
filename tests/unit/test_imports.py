"""Packages that are imported later are the same packages then."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from edgeflow.imports import import_later, without


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a package with a part, which prints when it is imported."""
    name = f"later_{tmp_path.name}"
    (tmp_path / name).mkdir()
    lines = ("print('imported')", f"import {name}", "from . import part", f"own = {name}")
    (tmp_path / name / "__init__.py").write_text("\n".join(lines))
    (tmp_path / name / "part.py").write_text("value = 7")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_asking_for_something_imports_it_once(
    package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import_later(package)
    module = __import__(package)
    inspect.getmodule(inspect.currentframe())  # asks all modules where they are
    assert capsys.readouterr().out == ""
    assert module.part.value == 7
    assert module.own is module is sys.modules[package]
    assert capsys.readouterr().out == "imported\n"
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        module.other  # noqa: B018


def test_importing_a_part_imports_its_package_first(
    package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import_later(package)
    part = __import__(f"{package}.part", fromlist=["value"])
    assert part.value == 7
    assert capsys.readouterr().out == "imported\n"


def test_what_is_not_there_is_not_found_later_either() -> None:
    import_later("no_such_package_of_anyone")
    with pytest.raises(ModuleNotFoundError):
        __import__("no_such_package_of_anyone")


def test_what_is_hidden_is_there_again_afterwards(package: str) -> None:
    with without(package), pytest.raises(ModuleNotFoundError):
        __import__(package)
    assert __import__(package).part.value == 7


def test_numpy_and_pandas_work_when_they_come_later() -> None:
    """As Snakemake's executor for Slurm uses them, after all else is imported."""
    code = (
        "from edgeflow.imports import import_later; import_later('numpy', 'pandas');"
        "import pandas as pd, numpy as np, sys; assert 'numpy._core' not in sys.modules;"
        "print(pd.DataFrame({'a': np.arange(3)})['a'].sum())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "3\n"
