"""The generated files are in step with the models, and the schema agrees with them."""

import copy
import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from edgeflow.config.load import load_file, parse
from edgeflow.config.schema import generated, json_schema
from edgeflow.errors import ConfigError
from tests.unit.config.test_sections import SSH

ROOT = Path(__file__).parents[3]
CONFIGS = [ROOT / "config.yaml", *sorted(ROOT.glob("examples/*/config.yaml"))]
README_EXAMPLES = [
    block
    for block in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if "datasets:" in block and "deployments:" in block
]


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_generated_files_are_in_step(path: Path) -> None:
    wanted = generated()[path].splitlines(keepends=True)
    found = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    diff = "".join(difflib.unified_diff(found, wanted, str(path), "generated"))
    assert not diff, f"run `python -m edgeflow.config.schema` and commit the result:\n{diff}"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configurations_of_the_project_are_valid(
    path: Path, validator: Draft202012Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    config = load_file(path)
    validator.validate(yaml.safe_load(path.read_text()))
    assert config.deployments


def test_the_default_configuration_points_editors_at_the_schema() -> None:
    first = (ROOT / "config.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=edgeflow/config/schema.json"


@pytest.mark.parametrize("text", README_EXAMPLES)
def test_the_example_of_the_readme_is_valid(
    text: str, validator: Draft202012Validator, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    load_file(path)
    validator.validate(yaml.safe_load(text))


Edit = Callable[[dict[str, Any]], object]
BAD: dict[str, Edit] = {
    "unknown section": lambda raw: raw.update(modles={}),
    "missing section": lambda raw: raw.pop("recipes"),
    "bad name": lambda raw: raw["datasets"].update({"My Digits": {"source": "digits"}}),
    "unknown source": lambda raw: raw["datasets"]["digits"].update(source="digit"),
    "unknown key in a variant": lambda raw: raw["datasets"]["digits"].update(path="x"),
    "unknown target option": lambda raw: raw["targets"]["pi"].update(device="CPU"),
    "unknown architecture": lambda raw: raw["models"]["cnn"]["architecture"].update(name="ds"),
    "unknown option": lambda raw: raw["models"]["cnn"]["architecture"].update(widht=1),
    "option of wrong type": lambda raw: raw["models"]["cnn"]["architecture"].update(width="1"),
    "number as text": lambda raw: raw["models"]["cnn"]["train"].update(epochs="2"),
    "number as boolean": lambda raw: raw["models"]["cnn"]["train"].update(epochs=True),
    "out of range": lambda raw: raw["models"]["cnn"]["train"].update(epochs=0),
    "no devices": lambda raw: raw["deployments"][0].update(devices=[]),
    "no deployments": lambda raw: raw["deployments"].clear(),
    "unknown gate": lambda raw: raw["deployments"][0].update(gates={"accuracy": 1}),
    "path on a device": lambda raw: raw["devices"].update(
        real={**SSH, "target": "pi", "path": "../x"}
    ),
}


def test_schema_and_models_accept_the_good_configuration(
    good: dict[str, Any],
    validator: Draft202012Validator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema_nets.py").write_text("def build(keras, input_shape, classes, depth): ...")
    good["models"]["own"] = {
        "dataset": "digits",
        "architecture": {"name": "schema_nets:build", "depth": {"any": [1]}},
    }
    parse(good)
    validator.validate(good)


@pytest.mark.parametrize("edit", BAD.values(), ids=BAD)
def test_schema_and_models_refuse_the_same(
    good: dict[str, Any], validator: Draft202012Validator, edit: Edit
) -> None:
    bad = copy.deepcopy(good)
    edit(bad)
    with pytest.raises(ConfigError):
        parse(bad)
    assert not validator.is_valid(bad)


def test_every_key_has_a_description() -> None:
    definitions = json_schema()["$defs"]
    silent = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, value in definition.get("properties", {}).items()
        if "description" not in value and "const" not in value
    ]
    assert silent == []
