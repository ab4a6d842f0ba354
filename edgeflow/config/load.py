"""Reads a configuration and reports all that is wrong with it at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from edgeflow.config.crosscheck import cross_check, did_you_mean
from edgeflow.config.locate import fields_at, line_of, shown_path
from edgeflow.config.root import Config
from edgeflow.errors import ConfigError, Problem


class _Loader(yaml.SafeLoader):
    """YAML in which a key that stands twice is an error, not a silent last-one-wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_file(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: with every problem found, each with its path and line.
    """
    try:
        text = path.read_text()
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except OSError as error:
        raise ConfigError([Problem(path=str(path), message=str(error.strerror))]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = Problem(path=str(path), message=f"not YAML: {' '.join(str(error).split())}")
        raise ConfigError([problem], source=str(path)) from error
    return parse(raw, source=str(path), text=text)


def parse(raw: object, *, source: str = "config", text: str = "") -> Config:
    """Validate a configuration that was read already.

    Args:
        raw: the mapping that YAML gave.
        source: what to call it in messages.
        text: its YAML text, to name lines.

    Raises:
        ConfigError: with every problem found.
    """
    if not isinstance(raw, Mapping) or not raw:
        problem = Problem(
            path=source,
            message="the configuration is empty or not a mapping",
            hint=f"it needs the sections {', '.join(_required())}",
        )
        raise ConfigError([problem], source=source)
    problems = cross_check(raw)
    config = None
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        problems = [_problem(entry) for entry in error.errors()] + problems
    if config is None or problems:
        raise ConfigError([_with_line(problem, text) for problem in problems], source=source)
    return config


def _required() -> list[str]:
    return [name for name, field in Config.model_fields.items() if field.is_required()]


def _problem(entry: Any) -> Problem:
    location = tuple(entry["loc"])
    message, hint = entry["msg"], ""
    if entry["type"] == "extra_forbidden":
        message, hint = "unknown key", did_you_mean(str(location[-1]), fields_at(location[:-1]))
    elif entry["type"] == "missing":
        message = "required, but not there"
    elif entry["type"] == "string_pattern_mismatch":
        message = f"{entry['input']!r} does not match {entry['ctx']['pattern']}"
    elif entry["type"] == "union_tag_invalid":
        known = entry["ctx"]["expected_tags"].replace("'", "").split(", ")
        message = f"no such {entry['ctx']['discriminator']}: {entry['ctx']['tag']!r}"
        hint = did_you_mean(entry["ctx"]["tag"], known)
    elif not isinstance(entry["input"], dict | list):
        message = f"{message.removeprefix('Value error, ')}, got {entry['input']!r}"
    return Problem(path=shown_path(location), message=message, hint=hint)


def _with_line(problem: Problem, text: str) -> Problem:
    line = line_of(text, problem.path) if text else None
    return Problem(path=problem.path, message=problem.message, hint=problem.hint, line=line)
