"""Problems that no section shows alone: names that miss, pairs that do not fit.

Works on the raw values, so that a mistake elsewhere in an entry hides nothing here. What a
section reports itself (a wrong type, a missing key) is passed over in silence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from edgeflow import plugins
from edgeflow.config.explain import explain
from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.fit import recipe_references, unfit
from edgeflow.config.model import ARCHITECTURE_PATTERN, architecture_module, architectures
from edgeflow.config.names import missing
from edgeflow.config.raw import Entry, deployments, entries

RESERVED_RECIPES = frozenset({"float"})


def cross_check(raw: Mapping[str, Any], families: Iterable[str] = ()) -> list[Finding]:
    """Return every problem between the sections of a raw configuration.

    Args:
        raw: the configuration, with plain models only.
        families: names that deployments may have used for several models.
    """
    return [
        *_references(raw, families),
        *_architectures(raw),
        *_twice(raw),
        *unfit(raw),
        *recipe_references(raw),
        *_broken(raw),
        *[
            Finding(keys=("recipes", name), message="taken: it names the trained model itself")
            for name in sorted(RESERVED_RECIPES & entries(raw, "recipes").keys())
        ],
    ]


def _references(raw: Entry, families: Iterable[str]) -> Iterator[Finding]:
    for name, entry in entries(raw, "models").items():
        yield from missing(raw, "datasets", entry.get("dataset"), ("models", name, "dataset"))
    for name, entry in entries(raw, "devices").items():
        yield from missing(raw, "targets", entry.get("target"), ("devices", name, "target"))
    for keys, deployment, devices in deployments(raw):
        yield from missing(raw, "models", deployment.get("model"), (*keys, "model"), families)
        yield from missing(raw, "recipes", deployment.get("recipe"), (*keys, "recipe"))
        for position, device in enumerate(devices):
            yield from missing(raw, "devices", device, (*keys, "devices", position))


def _architectures(raw: Entry) -> Iterator[Finding]:
    for model, entry in entries(raw, "models").items():
        architecture = entry.get("architecture")
        if not isinstance(architecture, Mapping):
            continue
        name = architecture.get("name")
        if not isinstance(name, str) or not re.fullmatch(ARCHITECTURE_PATTERN, name):
            continue
        keys = ("models", model, "architecture")
        if ":" in name:
            yield from _module(name, (*keys, "name"))
        elif name not in architectures():
            hint = did_you_mean(name, architectures())
            yield Finding(keys=(*keys, "name"), message=f"no architecture {name!r}", hint=hint)
        else:
            given = {key: architecture[key] for key in architecture if key != "name"}
            yield from _options(name, given, keys)


def _module(name: str, keys: Keys) -> Iterator[Finding]:
    # What its function accepts, it says itself when it is called: importing it may be slow.
    module = architecture_module(name)
    if plugins.find_module(module) is None:
        hint = "it must be installed, or lie in the folder where edgeflow runs"
        yield Finding(keys=keys, message=f"no module {module!r}", hint=hint)


def _options(name: str, given: Entry, keys: Keys) -> Iterator[Finding]:
    build = plugins.import_path(f"{architecture_module(name)}:build")
    options = plugins.options_model(build, name)
    try:
        options.model_validate(given)
    except ValidationError as error:
        for finding in explain(error, options, given):
            yield Finding(keys=(*keys, *finding.keys), message=finding.message, hint=finding.hint)


def _twice(raw: Entry) -> Iterator[Finding]:
    first: dict[tuple[str, str], Keys] = {}
    for keys, deployment, devices in deployments(raw):
        model = deployment.get("model")
        for position, device in enumerate(devices):
            if not isinstance(model, str) or not isinstance(device, str):
                continue
            here = (*keys, "devices", position)
            before = first.setdefault((model, device), here)
            if before != here:
                message = f"model {model!r} goes to device {device!r} twice"
                hint = "a device holds one recipe of a model at a time"
                yield Finding(keys=here, message=message, hint=hint, see=before)


def _broken(raw: Entry) -> Iterator[Finding]:
    broken = plugins.broken(plugins.TARGETS)
    for name, target in entries(raw, "targets").items():
        kind = target.get("kind")
        if isinstance(kind, str) and kind in broken:
            message = f"target kind {kind!r} is installed, but cannot be imported: {broken[kind]}"
            yield Finding(keys=("targets", name, "kind"), message=message)
