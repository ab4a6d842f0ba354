"""What comes from a file: lines, syntax errors, keys that stand twice, YAML 1.2."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edgeflow.config.document import read_document
from edgeflow.config.load import load_file
from edgeflow.errors import ConfigError

Lines = Callable[[str], dict[str, int | None]]


def value(tmp_path: Path, text: str) -> object:
    path = tmp_path / "value.yaml"
    path.write_text(text, encoding="utf-8")
    return read_document(path).value


def refusal(tmp_path: Path, data: bytes) -> ConfigError:
    path = tmp_path / "broken.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_file(path)
    return caught.value


def test_each_problem_has_the_line_of_its_key(good_text: str, lines: Lines) -> None:
    text = good_text.replace("kind: openvino", "kind: openvno").replace("epochs: 2", "epocs: 2")
    assert lines(text) == {"models.cnn.train.epocs": 4, "targets.intel.kind": 11}


def test_problems_come_in_the_order_of_the_file(good_text: str, lines: Lines) -> None:
    text = good_text.replace("{kind: litert}", "{kind: 3}").replace("recipe: int8", "recipe: x")
    text = text.replace("source: digits", "source: 1")
    assert list(lines(text).values()) == [2, 10, 16]


def test_the_line_of_a_list_item(good_text: str, lines: Lines) -> None:
    first = "  - recipe: fp32\n    devices: [bench-intel]\n    model: cnx\n"
    text = good_text.replace("deployments:\n", f"deployments:\n{first}")
    assert lines(text) == {"deployments.0.model": 18}


def test_a_missing_key_has_the_line_of_its_parent(good_text: str, lines: Lines) -> None:
    text = good_text.replace("model: cnn, ", "")
    assert lines(text) == {"deployments.0.model": 16}


def test_keys_that_stand_twice_are_told_with_all_else(good_text: str, lines: Lines) -> None:
    text = good_text.replace("  int8:", "  fp32: {}\n  int8:").replace("litert}", "litert, x: 1}")
    assert lines(text) == {"recipes.fp32": 7, "targets.pi.x": 11}


def test_an_anchor_and_a_merge_are_no_repetition(good_text: str, tmp_path: Path) -> None:
    text = good_text.replace("{kind: litert}", "&pi {kind: litert}").replace(
        "intel: {kind: openvino}", "intel: {kind: openvino}\n  pi4: {<<: *pi, threads: 4}"
    )
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert load_file(path).targets["pi4"].model_dump()["threads"] == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 1e-3),
        ("2.5E+2", 250.0),
        (".5", 0.5),
        ("-7", -7),
        ("0", 0),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("2024-01-01", "2024-01-01"),
        ("1:30", "1:30"),
        ("~", None),
        ("", None),
        ("1_000", "1_000"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, expected: object) -> None:
    found = value(tmp_path, f"key: {text}\n")
    assert found == {"key": expected}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(expected)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a: [1\nb: 2\n", "line 2: broken.yaml: not YAML"),
        (b"a: 1\n b: 2\n", "line 2: broken.yaml: not YAML"),
        (b"a: *nothing\n", "line 1: broken.yaml: not YAML"),
        (b"a: !!python/object/apply:os.system [x]\n", "could not determine a constructor"),
        (b"? [a, b]\n: 1\n", "unhashable key"),
        (b"a: 1\n---\nb: 2\n", "line 2: broken.yaml: not YAML"),
        (b"a: \xff\xfe\n", "not YAML"),
        (b"a: \x00\n", "not YAML"),
        (b"a: !!int x\n", "not YAML"),
        (b"[" * 5000, "nested too deep"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b"a: @b\n", "found character '@' that cannot start any token"),
        (b"a:\t1\n", "line 1: broken.yaml: not YAML"),
        (b"", "empty (it needs the sections"),
        (b"# nothing but a comment\n", "empty (it needs the sections"),
        (b"- a\n- b\n", "not a mapping"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, data: bytes, says: str) -> None:
    error = refusal(tmp_path, data)
    assert len(error.problems) == 1
    assert says in str(error)
    assert error.exit_code == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file(.|\n)*edgeflow init"):
        load_file(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="File name too long"):
        load_file(tmp_path / f"{300 * 'x'}.yaml")


def test_a_value_that_contains_itself(good_text: str, lines: Lines) -> None:
    text = good_text.replace("{name: ds_cnn, width: 16}", "{name: 'json:load', a: &a [*a]}")
    assert set(lines(text).values()) == {4}
