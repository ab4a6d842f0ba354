from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgeflow.config.load import load_file, parse
from edgeflow.errors import ConfigError

GOOD = """\
datasets:
  digits: {source: digits}
models:
  cnn: {dataset: digits, architecture: {name: ds_cnn, width: 16}, train: {epochs: 2}}
recipes:
  fp32: {}
  int8: {quantize: ptq-int8}
  dyn: {quantize: dynamic}
targets:
  pi: {kind: litert}
  intel: {kind: openvino}
devices:
  bench-pi: {target: pi, transport: virtual}
  bench-intel: {target: intel, transport: virtual}
deployments:
  - {model: cnn, recipe: int8, devices: [bench-pi]}
"""

Found = dict[str, str]


@pytest.fixture
def good() -> dict[str, Any]:
    """A small configuration that is valid."""
    raw: dict[str, Any] = yaml.safe_load(GOOD)
    return raw


@pytest.fixture
def good_text() -> str:
    """The text of the small configuration."""
    return GOOD


@pytest.fixture
def problems() -> Callable[[object], Found]:
    """Return path to message and hint of everything wrong in a raw configuration."""

    def check(raw: object) -> Found:
        try:
            parse(raw)
        except ConfigError as error:
            return {item.path: f"{item.message} ({item.hint})" for item in error.problems}
        return {}

    return check


@pytest.fixture
def lines(tmp_path: Path) -> Callable[[str], dict[str, int | None]]:
    """Return path to line of everything wrong in the text of a configuration."""

    def check(text: str) -> dict[str, int | None]:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_file(path)
        return {item.path: item.line for item in caught.value.problems}

    return check
