import difflib
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from edgeflow.validate import schema
from tests.unit.report.samples import unit, validation


@pytest.fixture
def record() -> dict[str, Any]:
    return validation(unit("int8", "pi", "bench"), ["cat", "dog"])


def test_the_schema_file_is_in_step() -> None:
    for path, wanted in schema.generated().items():
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        old, new = found.splitlines(keepends=True), wanted.splitlines(keepends=True)
        diff = "".join(difflib.unified_diff(old, new, str(path), "generated"))
        assert not diff, f"run `python -m edgeflow.validate.schema` and commit the result:\n{diff}"


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "SCHEMA_FILE", tmp_path / "s.json")
    schema.main()
    assert json.loads((tmp_path / "s.json").read_text())["title"] == "Validation"


def test_schema_and_model_accept_the_same(record: dict[str, Any]) -> None:
    validator = Draft202012Validator(json.loads(schema.SCHEMA_FILE.read_text()))
    record["conditions"]["fan_rpm"] = 1200  # a device may add what it knows
    validator.validate(record)
    assert schema.Validation.model_validate(record).conditions.model_dump()["fan_rpm"] == 1200


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"format": 2},
        {"samples": "20"},
        {"first_divergence": "host"},
        {"latency_ms": {"p50": 1.0}},
        {"conditions": {"cpu": "x"}},
        {"confusion": {"baseline": [[0.5]], "device": [[1]]}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_schema_and_model_refuse_the_same(record: dict[str, Any], change: dict[str, Any]) -> None:
    validator = Draft202012Validator(json.loads(schema.SCHEMA_FILE.read_text()))
    assert not validator.is_valid(record | change)
    with pytest.raises(ValidationError):
        schema.Validation.model_validate(record | change)
