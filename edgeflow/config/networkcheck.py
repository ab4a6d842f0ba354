"""Problems of networks that can be told without building them.

Works on raw values, as `crosscheck` does.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from edgeflow import plugins
from edgeflow.config.explain import explain
from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.model import (
    ARCHITECTURE_PATTERN,
    architecture_module,
    architecture_outputs,
    architectures,
)
from edgeflow.config.ownmodule import check_module
from edgeflow.config.raw import Entry, entries
from edgeflow.tasks.registry import DEFAULT, TASKS

_EACH = {"labels": "label", "input": "value of their input"}


def check_networks(raw: Mapping[str, Any]) -> list[Finding]:
    """Return every problem with `architecture` in the models of a raw configuration."""
    return [
        finding
        for model, entry in entries(raw, "models").items()
        for finding in _of_model(raw, entry, ("models", model, "architecture"))
    ]


def _of_model(raw: Entry, entry: Entry, keys: Keys) -> Iterator[Finding]:
    architecture = entry.get("architecture")
    if not isinstance(architecture, Mapping):
        return
    name = architecture.get("name")
    if not isinstance(name, str) or not re.fullmatch(ARCHITECTURE_PATTERN, name):
        return
    given = {key: architecture[key] for key in architecture if key != "name"}
    if ":" in name:
        yield from check_module(name, given, keys)
    elif name not in architectures():
        hint = did_you_mean(name, architectures())
        yield Finding(keys=(*keys, "name"), message=f"no architecture {name!r}", hint=hint)
    else:
        yield from _options(name, given, keys)
        yield from _task(raw, name, entry.get("dataset"), (*keys, "name"))


def _options(name: str, given: Entry, keys: Keys) -> Iterator[Finding]:
    build = plugins.import_path(f"{architecture_module(name)}:build")
    options = plugins.options_model(build, name)
    try:
        options.model_validate(given)
    except ValidationError as error:
        for finding in explain(error, options, given):
            yield Finding(keys=(*keys, *finding.keys), message=finding.message, hint=finding.hint)


def _task(raw: Entry, name: str, dataset: object, keys: Keys) -> Iterator[Finding]:
    section = entries(raw, "datasets").get(dataset) if isinstance(dataset, str) else None
    if section is None:
        return
    named = section.get("task", DEFAULT)
    task = TASKS.get(named) if isinstance(named, str) else None
    if task is None or task.outputs == architecture_outputs(name):
        return
    suited = [other for other in architectures() if architecture_outputs(other) == task.outputs]
    yield Finding(
        keys=keys,
        message=f"dataset {dataset!r} is of `task: {task.name}`, whose networks have an output for "
        f"each {_EACH[task.outputs]}; {name} has not",
        hint=f"for it there are: {', '.join(suited)}",
    )
