"""Problems that no section shows alone: names that miss, pairs that do not fit.

Works on the raw values, so that a mistake elsewhere in an entry hides nothing here. What a
section reports itself (a wrong type, a missing key) is passed over in silence.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from edgeflow import plugins
from edgeflow.config.explain import explain
from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.model import ARCHITECTURE_PATTERN, architecture_module, architectures
from edgeflow.config.raw import Entry, deployments, entries, kind_of_device
from edgeflow.config.recipe import Quantize, Recipe

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
        *_unfit(raw),
        *_broken(raw),
        *[
            Finding(keys=("recipes", name), message="taken: it names the trained model itself")
            for name in sorted(RESERVED_RECIPES & entries(raw, "recipes").keys())
        ],
    ]


def _references(raw: Entry, families: Iterable[str]) -> Iterator[Finding]:
    for name, entry in entries(raw, "models").items():
        yield from _missing(raw, "datasets", entry.get("dataset"), ("models", name, "dataset"))
    for name, entry in entries(raw, "devices").items():
        yield from _missing(raw, "targets", entry.get("target"), ("devices", name, "target"))
    for keys, deployment, devices in deployments(raw):
        yield from _missing(raw, "models", deployment.get("model"), (*keys, "model"), families)
        yield from _missing(raw, "recipes", deployment.get("recipe"), (*keys, "recipe"))
        for position, device in enumerate(devices):
            yield from _missing(raw, "devices", device, (*keys, "devices", position))


def _missing(
    raw: Entry, section: str, name: object, keys: Keys, more: Iterable[str] = ()
) -> Iterator[Finding]:
    named = raw.get(section)
    if not isinstance(name, str) or not isinstance(named, Mapping):
        return
    known = [*more, *(str(key) for key in named)]
    if name not in known:
        message = f"no {section.removesuffix('s')} {name!r}"
        yield Finding(keys=keys, message=message, hint=did_you_mean(name, known))


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


def _unfit(raw: Entry) -> Iterator[Finding]:
    """Yield recipes that a target kind of their deployment cannot take."""
    targets = plugins.available(plugins.TARGETS)
    for keys, deployment, devices in deployments(raw):
        quantize = _quantize(raw, deployment.get("recipe"))
        for kind in sorted({kind_of_device(raw, device) for device in devices} & targets.keys()):
            accepted = targets[kind].capabilities.quantize
            if quantize is not None and quantize not in accepted:
                yield Finding(
                    keys=(*keys, "recipe"),
                    message=f"target kind {kind!r} cannot take a recipe with quantize: {quantize}",
                    hint=f"it takes: {', '.join(sorted(accepted))}",
                )


def _quantize(raw: Entry, recipe: object) -> str | None:
    """Return a recipe's `quantize`, or None where recipe or value is wrong."""
    entry = entries(raw, "recipes").get(recipe) if isinstance(recipe, str) else None
    if entry is None or entry.keys() - Recipe.model_fields.keys():
        return None
    value = entry.get("quantize", Recipe.model_fields["quantize"].default)
    return value if value in get_args(Quantize) else None


def _broken(raw: Entry) -> Iterator[Finding]:
    broken = plugins.broken(plugins.TARGETS)
    for name, target in entries(raw, "targets").items():
        kind = target.get("kind")
        if isinstance(kind, str) and kind in broken:
            message = f"target kind {kind!r} is installed, but cannot be imported: {broken[kind]}"
            yield Finding(keys=("targets", name, "kind"), message=message)
