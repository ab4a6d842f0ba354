"""What others register as targets is used if it is one, and named with the reason otherwise."""

import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from typer.testing import CliRunner

from edgeflow import plugins
from edgeflow.cli.app import app
from edgeflow.config.target import broken_targets, target_class, target_classes
from edgeflow.errors import MissingToolError
from edgeflow.targets import registry
from edgeflow.targets.base import Capabilities, TargetOptions
from tests.unit.config.test_gatefit import INSTRUCTIONS

MODULES = {
    "syntax": ("def", "SyntaxError"),
    "value": ("raise ValueError('no licence')", "ValueError: no licence"),
    "leaves": ("raise SystemExit(0)", "SystemExit: 0"),
    "lacks": ("", "AttributeError: .*'Target'"),
    "number": ("Target = 5", "TypeError: its `name` is not 'number'"),
}


class Options(TargetOptions):
    kind: Literal["odd"]


FIT: dict[str, Any] = {
    "name": "odd",
    "capabilities": Capabilities(quantize=frozenset({"none"})),
    "Options": Options,
    "figures": (INSTRUCTIONS,),
}


@pytest.fixture(autouse=True)
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Targets of others beside a good one of edgeflow."""
    entries = [EntryPoint("litert", "edgeflow.targets.litert:LiteRT", plugins.TARGETS)]
    for kind, (text, _) in MODULES.items():
        (tmp_path / f"others_{kind}.py").write_text(text)
        entries.append(EntryPoint(kind, f"others_{kind}:Target", plugins.TARGETS))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group else [])
    caches = (plugins._entries, plugins.load, plugins._loaded)
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def test_targets_that_cannot_be_loaded_stop_nothing() -> None:
    assert list(target_classes()) == ["litert"]
    assert set(broken_targets()) == set(MODULES)
    listed = CliRunner().invoke(app, ["target", "list"])
    assert listed.exit_code == 0
    assert re.search("^litert +ready", listed.output, re.MULTILINE)
    for kind, (_, reason) in MODULES.items():
        with pytest.raises(MissingToolError, match=f"'{kind}' cannot be loaded: {reason}"):
            registry.get(kind)
        assert f"\n{kind}: target kind '{kind}' cannot be loaded: " in f"\n{listed.output}"


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"name": "even"}, "`name`"),
        ({"capabilities": {"none"}}, "`capabilities`"),
        ({"Options": None}, "`Options`"),
        ({"Options": dict}, "`Options`"),
        ({"Options": TargetOptions}, "Literal"),
        ({"figures": ("x",)}, "`figures`"),
        ({"figures": 5}, "`figures`"),
    ],
)
def test_a_target_has_what_every_target_has(
    monkeypatch: pytest.MonkeyPatch, odd: dict[str, Any], reason: str
) -> None:
    def register(target: Any) -> None:
        monkeypatch.setattr(plugins, "load", lambda group, kind: target)
        monkeypatch.setattr(plugins, "available", lambda group: {"odd": target})

    register(SimpleNamespace(**FIT))
    assert list(target_classes()) == ["odd"]
    register(SimpleNamespace(**{**FIT, **odd}))
    assert target_classes() == {}
    assert reason in broken_targets()["odd"]
    with pytest.raises(TypeError, match=reason):
        target_class("odd")
