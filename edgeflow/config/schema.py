"""The JSON schema that editors check config.yaml with, generated from the models."""

import json
from pathlib import Path
from typing import Any

from edgeflow import plugins
from edgeflow.config.figurespage import figures_page
from edgeflow.config.gates import all_figures
from edgeflow.config.model import architecture_module, architectures
from edgeflow.config.reference import reference
from edgeflow.config.root import Config

SCHEMA_FILE = Path(__file__).parent / "schema.json"
FIGURES_FILE = Path(__file__).parents[2] / "docs" / "figures.md"
REFERENCE_FILE = Path(__file__).parents[2] / "docs" / "config.md"


def json_schema() -> dict[str, Any]:
    """Return the schema of a configuration, JSON schema draft 2020-12."""
    schema = Config.model_json_schema()
    definitions = schema["$defs"]
    definitions["Architecture"] = _architecture(definitions["Architecture"])
    definitions["Model"] |= {
        "anyOf": [{"required": ["architecture"]}, {"required": ["source"]}],
        "not": {"required": ["architecture", "source"]},
    }
    for section in schema["properties"].values():
        if "patternProperties" in section:  # a name of another form is an error
            section["additionalProperties"] = False
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(schema)}


def _architecture(general: dict[str, Any]) -> dict[str, Any]:
    """Return a choice of edgeflow's architectures, each with its options, or a user's own."""
    import_path = {**general["properties"]["name"], "pattern": ":"}
    own = {**general, "title": "Import path", "properties": {"name": import_path}}
    return {
        "description": general["description"],
        "oneOf": [*[_built_in(name) for name in architectures()], own],
    }


def _built_in(name: str) -> dict[str, Any]:
    build = plugins.import_path(f"{architecture_module(name)}:build")
    options = plugins.options_model(build, name).model_json_schema()
    return {
        **options,
        "description": build.__doc__.partition("\n")[0],
        "properties": {"name": {"const": name, "type": "string"}, **options["properties"]},
        "required": ["name", *options.get("required", [])],
    }


def _tidy(value: Any) -> Any:
    """Drop the titles that only repeat a key, and the line breaks of docstrings."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: " ".join(item.split()) if key == "description" else _tidy(item)
        for key, item in value.items()
        if not (key == "title" and isinstance(item, str))
    }


def generated() -> dict[Path, str]:
    """Return the text of each generated file."""
    schema = json_schema()
    return {
        SCHEMA_FILE: json.dumps(schema, indent=2) + "\n",
        REFERENCE_FILE: reference(schema),
        FIGURES_FILE: figures_page(all_figures().values()),
    }


def main() -> None:
    """Write the generated files."""
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
