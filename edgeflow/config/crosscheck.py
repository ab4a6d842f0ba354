"""Problems that no section shows alone: names that miss, pairs that do not fit."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from edgeflow import plugins
from edgeflow.config.deployment import Deployment
from edgeflow.config.model import Model, architecture_module
from edgeflow.config.root import Config
from edgeflow.config.target import target_kind
from edgeflow.errors import Problem

RESERVED_RECIPES = frozenset({"float"})


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or all of them, or nothing."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are: {', '.join(words)}" if words else "none are defined"


class Partial:
    """The entries of a raw configuration that are valid one by one.

    An invalid entry is reported by the section itself; here it only keeps its name, so that
    one mistake does not show up as many.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def named(self, section: str) -> dict[str, Any]:
        """Return the valid entries of a section of named entries."""
        entries = self.raw.get(section)
        if not isinstance(entries, dict):
            return {}
        adapter = TypeAdapter(Config.model_fields[section].annotation)
        return {name: entry for key in entries for name, entry in _one(adapter, key, entries[key])}

    def known(self, section: str) -> list[str]:
        """Return the names of all entries of a section, valid or not."""
        entries = self.raw.get(section)
        return [str(name) for name in entries] if isinstance(entries, dict) else []

    def deployments(self) -> Iterator[tuple[int, Deployment]]:
        """Yield position and value of each valid deployment."""
        entries = self.raw.get("deployments")
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            try:
                yield index, Deployment.model_validate(entry)
            except ValidationError:
                continue


def _one(adapter: TypeAdapter[Any], key: object, value: object) -> Iterator[tuple[str, Any]]:
    try:
        yield from adapter.validate_python({key: value}).items()
    except ValidationError:
        return


def cross_check(raw: Mapping[str, Any]) -> list[Problem]:
    """Return every problem between the sections of a raw configuration."""
    partial = Partial(raw)
    return [
        *_references(partial),
        *_architectures(partial.named("models")),
        *_deployments(partial),
        *[
            Problem(path=f"recipes.{name}", message="this name is taken by the trained model")
            for name in partial.known("recipes")
            if name in RESERVED_RECIPES
        ],
    ]


def _missing(partial: Partial, section: str, name: str, path: str) -> Iterator[Problem]:
    known = partial.known(section)
    if name not in known:
        yield Problem(
            path=path,
            message=f"no {section.removesuffix('s')} {name!r}",
            hint=did_you_mean(name, known),
        )


def _references(partial: Partial) -> Iterator[Problem]:
    for name, model in partial.named("models").items():
        yield from _missing(partial, "datasets", model.dataset, f"models.{name}.dataset")
    for name, device in partial.named("devices").items():
        yield from _missing(partial, "targets", device.target, f"devices.{name}.target")
    for index, deployment in partial.deployments():
        path = f"deployments.{index}"
        yield from _missing(partial, "models", deployment.model, f"{path}.model")
        yield from _missing(partial, "recipes", deployment.recipe, f"{path}.recipe")
        for position, device in enumerate(deployment.devices):
            yield from _missing(partial, "devices", device, f"{path}.devices.{position}")


def _architectures(models: Mapping[str, Model]) -> Iterator[Problem]:
    for name, model in models.items():
        architecture = model.architecture
        if ":" in architecture.name:
            continue  # a user's builder says itself what it accepts, when it is called
        build = plugins.import_path(f"{architecture_module(architecture.name)}:build")
        options = plugins.options_model(build, architecture.name)
        yield from _option_problems(options, architecture.options, f"models.{name}.architecture")


def _option_problems(
    options: type[BaseModel], given: Mapping[str, Any], path: str
) -> Iterator[Problem]:
    try:
        options.model_validate(dict(given))
    except ValidationError as error:
        for entry in error.errors():
            where = ".".join(str(part) for part in entry["loc"])
            unknown = entry["type"] == "extra_forbidden"
            yield Problem(
                path=f"{path}.{where}",
                message="unknown option" if unknown else entry["msg"],
                hint=did_you_mean(where, options.model_fields) if unknown else "",
            )


def _deployments(partial: Partial) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    devices, targets = partial.named("devices"), partial.named("targets")
    recipes = partial.named("recipes")
    for index, deployment in partial.deployments():
        for position, name in enumerate(deployment.devices):
            path = f"deployments.{index}.devices.{position}"
            first = seen.setdefault((deployment.model, name), index)
            if first != index or deployment.devices.index(name) != position:
                yield Problem(
                    path=path,
                    message=f"model {deployment.model!r} goes to device {name!r} twice",
                    hint=f"deployments.{first} already puts it there; a device holds one recipe "
                    "of a model at a time",
                )
            device = devices.get(name)
            target = targets.get(device.target) if device else None
            recipe = recipes.get(deployment.recipe)
            if target is not None and recipe is not None:
                yield from _fits(target, recipe.quantize, path, deployment.recipe)


def _fits(target: BaseModel, quantize: str, path: str, recipe: str) -> Iterator[Problem]:
    kind = target_kind(target)
    accepted = plugins.load(plugins.TARGETS, kind).capabilities.quantize
    if quantize not in accepted:
        yield Problem(
            path=path,
            message=f"target kind {kind!r} cannot take recipe {recipe!r} (quantize: {quantize})",
            hint=f"it takes: {', '.join(sorted(accepted))}",
        )
