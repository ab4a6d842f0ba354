"""Whatever a file holds, it is accepted or refused with a ConfigError, never with another."""

import copy
import datetime
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeflow.config.load import load_file, parse
from edgeflow.config.root import Config
from edgeflow.errors import ConfigError

WORDS = [
    *Config.model_fields,
    *("digits", "cnn", "int8", "pi", "bench-pi", "source", "kind", "transport", "name", "size"),
    *("litert", "openvino", "ssh", "virtual", "ds_cnn", "json:x", ".:x", "a.b", "[key]", "float"),
    *("architecture", "dataset", "model", "recipe", "target", "quantize", "train", ""),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.just(datetime.date(2024, 1, 1)),
)
KEYS = st.one_of(st.sampled_from(WORDS), SCALARS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
QUICK = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@QUICK
@given(VALUES)
def test_any_value(value: Any) -> None:
    with suppress(ConfigError):
        parse(value)


@QUICK
@given(st.dictionaries(st.sampled_from(list(Config.model_fields)), VALUES))
def test_any_value_in_a_section(raw: dict[str, Any]) -> None:
    with suppress(ConfigError):
        parse(raw)


@QUICK
@given(data=st.data(), value=VALUES)
def test_any_value_in_place_of_a_good_one(
    good: dict[str, Any], data: st.DataObject, value: Any
) -> None:
    raw = copy.deepcopy(good)
    node: Any = raw
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            break
        node = node[key]
    node[key] = value
    with suppress(ConfigError):
        parse(raw)


@QUICK
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,.?%@ \n\t<0", max_size=40))
def test_any_text(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_file(path)
