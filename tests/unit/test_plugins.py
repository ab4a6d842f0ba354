import os
import py_compile
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgeflow import plugins


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An entry point group with a good and a broken plug-in."""
    entries = [
        EntryPoint("good", "json:loads", "test.group"),
        EntryPoint("gone", "no_such_module:X", "test.group"),
        EntryPoint("odd", "json:no_such_name", "test.group"),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group else [])
    yield "test.group"
    for cached in (plugins._entries, plugins.load, plugins._loaded):
        cached.cache_clear()


def build(
    keras: Any,
    *,
    width: int,
    channels: tuple[int, ...] = (1, 2),
    dropout: float = 0.5,
) -> None:
    """Build it.

    Args:
        keras: not an option.
        width: channels of the first layer.
    """


def test_a_broken_plugin_does_not_stop_the_others(group: str) -> None:
    assert plugins.names(group) == ["gone", "good", "odd"]
    assert list(plugins.available(group)) == ["good"]
    assert plugins.broken(group) == {
        "gone": "ModuleNotFoundError: No module named 'no_such_module'",
        "odd": "AttributeError: module 'json' has no attribute 'no_such_name'",
    }
    assert plugins.module_of(group, "gone") == "no_such_module"


def test_our_targets_are_registered() -> None:
    assert {"litert", "openvino"} <= set(plugins.available(plugins.TARGETS))


def test_an_import_path() -> None:
    assert plugins.import_path("pathlib:Path") is Path
    with pytest.raises(ImportError, match="pathlib has no 'Pth'"):
        plugins.import_path("pathlib:Pth")
    with pytest.raises(ImportError, match="no_such_module"):
        plugins.import_path("no_such_module:x")


def test_a_module_is_found_without_running_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("raise SystemExit\n")
    (tmp_path / "pack" / "nets.py").write_text("")
    spec = plugins.find_module("pack.nets")
    assert spec is not None
    assert spec.origin == str(tmp_path / "pack" / "nets.py")
    assert plugins.find_module("pack.other") is None
    assert plugins.find_module("pack.nets.deeper") is None
    assert "pack" not in sys.modules


def test_the_working_folder_comes_last_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "json.py").write_text("")
    (tmp_path / "own_module_here.py").write_text("VALUE = 3\n")
    assert plugins.import_path("own_module_here:VALUE") == 3
    found = plugins.find_module("json")
    assert found is not None
    assert found.origin != str(tmp_path / "json.py")
    assert sys.path.count(str(tmp_path)) == 1


def test_a_module_replaced_by_one_of_equal_size_and_time_is_not_taken_from_its_pyc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module, helper = tmp_path / "replaced_module.py", tmp_path / "replaced_helper.py"
    module.write_text("from replaced_helper import VALUE\n")
    for value in (1, 2):
        helper.write_text(f"VALUE = {value}\n")
        for path in (module, helper):
            os.utime(path, (1_600_000_000, 1_600_000_000))
        assert plugins.import_path("replaced_module:VALUE") == value
        for path in (module, helper):
            sys.modules.pop(path.stem)
            if value == 1:
                py_compile.compile(str(path))


def test_options_are_the_keyword_only_parameters() -> None:
    options = plugins.options_model(build, "build")
    assert set(options.model_fields) == {"width", "channels", "dropout"}
    assert options.model_fields["width"].description == "channels of the first layer."
    assert options.model_validate({"width": 3, "channels": [4]}).model_dump() == {
        "width": 3,
        "channels": (4,),
        "dropout": 0.5,
    }


@pytest.mark.parametrize("raw", [{}, {"width": "3"}, {"width": True}, {"width": 3, "keras": 1}])
def test_other_options_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        plugins.options_model(build, "build").model_validate(raw)
