"""Whether networks fit their targets, told before they are trained.

A target with a method `fit` judges a .tflite; it gets that of the untrained network after the
recipe, or the file that the user brings.
"""

import inspect
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow import plugins
from edgeflow.check.networks import known_facts
from edgeflow.check.sections import valid_models
from edgeflow.check.suits import deployed_recipes
from edgeflow.config.finding import Finding, Keys
from edgeflow.config.fit import clashes, valid_recipes
from edgeflow.config.model import Architecture, Model, architecture_module
from edgeflow.config.modelfile import kind_of, quantization
from edgeflow.config.raw import Entry, Raw, deployments, entries, once
from edgeflow.config.recipe import Recipe
from edgeflow.config.root import Config
from edgeflow.config.target import target_classes, toolchain_of
from edgeflow.console import native_quiet
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError, EdgeflowError, TrainingError
from edgeflow.targets.base import Fit
from edgeflow.targets.worker import Worker

_WIDTHS = ("width", "alpha", "units")
"""Options of architectures that widen all layers."""
_STEPS = 4
"""Widths to try: each takes a second or two."""
_LEAST = 4
"""Smallest number of channels to try."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A model after a recipe on a target; names are those of the configuration."""

    model: str
    recipe: str
    target: str

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.model}/{self.recipe} on {self.target}"


Verdict = Fit | CompileError
"""What a target says of a network; an error where it can never take it."""


def check_fits(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the deployments of networks that do not fit a target, with what would."""
    for keys, cases in _cases(raw):
        found = [(case, verdict) for case in cases if (verdict := verdicts(raw).get(case))]
        wrong = {case: text for case, verdict in found if (text := _problem(verdict))}
        if wrong:
            hints = [_hint(raw, case, verdict) for case, verdict in found if case in wrong]
            yield Finding(
                keys=(*keys, "model"),
                message="; ".join(f"{case.title}: {text}" for case, text in wrong.items()),
                hint="; ".join(dict.fromkeys(hints)),
            )


@once
def verdicts(raw: Entry) -> Mapping[Case, Verdict]:
    """Return what targets say of the networks that they are to run, as far as that is known."""
    cases = dict.fromkeys(case for _, cases in _cases(raw) for case in cases)
    found = {case: _verdict(raw, case) for case in cases}
    return {case: verdict for case, verdict in found.items() if verdict is not None}


def _cases(raw: Entry) -> Iterator[tuple[Keys, list[Case]]]:
    """Yield the keys of each deployment, with its cases that a target can judge."""
    for keys, deployment, devices in deployments(raw):
        model, recipe = deployment.get("model"), deployment.get("recipe")
        if isinstance(model, str) and isinstance(recipe, str):
            listed = [entries(raw, "devices").get(str(device), {}) for device in devices]
            targets = dict.fromkeys(str(entry.get("target")) for entry in listed)
            cases = [Case(model=model, recipe=recipe, target=target) for target in targets]
            yield keys, [case for case in cases if _is_judged(raw, case)]


def _is_judged(raw: Entry, case: Case) -> bool:
    recipe = deployed_recipes(raw, case.model).get(case.recipe)
    target = _target(raw, case.target)
    if recipe is None or target is None or case.model not in valid_models(raw):
        return False
    given = _file(valid_models(raw)[case.model])
    return bool(given) or not list(clashes(recipe, target[0].capabilities))


def _target(raw: Entry, name: str) -> tuple[Any, Any] | None:
    """Return class and options of a target that judges networks; None of any other."""
    entry = entries(raw, "targets").get(name, {})
    cls = target_classes().get(str(entry.get("kind")))
    if cls is None or not hasattr(cls, "fit"):
        return None
    try:
        return cls, cls.Options.model_validate(dict(entry))
    except ValidationError:
        return None  # its section reports it


def _verdict(raw: Entry, case: Case) -> Verdict | None:
    model = valid_models(raw)[case.model]
    if (file := _file(model)) is not None:
        return _judged(raw, case.target, file.read_bytes())
    facts = known_facts(raw, model.dataset)
    if facts is None or model.architecture is None:
        return None
    recipe = deployed_recipes(raw, case.model)[case.recipe]
    return _untrained(raw, case.target, model.architecture, facts, recipe)


def _file(model: Model) -> Path | None:
    """Return the .tflite of a model that came quantized."""
    path = Path(model.source).expanduser() if model.source else None
    return path if path and kind_of(path) == "tflite" and quantization(path) else None


def _untrained(
    raw: Entry, target: str, architecture: Architecture, facts: DatasetFacts, recipe: Recipe
) -> Verdict | None:
    """Return the verdict on a network that is not trained; None where nobody can tell."""
    try:
        content = _rehearsed(
            architecture.model_dump_json(), facts.model_dump_json(), recipe.model_dump_json()
        )
    except CompileError as error:
        return error
    except TrainingError:
        return None  # among the findings of the architectures
    return None if content is None else _judged(raw, target, content)


@cache
def _rehearsed(architecture: str, facts: str, recipe: str) -> bytes | None:
    from edgeflow.compress.rehearsal import rehearse
    from edgeflow.train.keras import load_keras
    from edgeflow.train.network import build_network

    keras, parsed = load_keras(seed=0), Architecture.model_validate_json(architecture)
    network = build_network(keras, DatasetFacts.model_validate_json(facts), parsed)
    if not getattr(network, "_is_graph_network", False):
        return None
    with native_quiet():
        return rehearse(parsed.name, keras, network, Recipe.model_validate_json(recipe))


def _judged(raw: Entry, target: str, content: bytes) -> Verdict | None:
    found = _target(raw, target)
    if found is None:
        return None
    cls, options = found
    return _asked(cls, options.model_dump_json(), content)


@cache
def _asked(cls: Any, options: str, content: bytes) -> Verdict:
    parsed = cls.Options.model_validate_json(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        try:
            fit: Fit = cls.fit(path, parsed, _worker(cls, parsed))
        except CompileError as error:
            return error
    return fit


def _worker(cls: Any, options: Any) -> Worker | None:
    """Return the worker of a target's toolchain, where that is on this machine."""
    from edgeflow.targets.identity import identify

    if getattr(options, "compile_host", None):
        return None
    toolchain = toolchain_of(cls, options)
    try:
        identity = identify(toolchain, None)
    except EdgeflowError:
        return None  # `edgeflow check` says so
    return Worker(title="the network", toolchain=toolchain, identity=identity)


def _problem(verdict: Verdict) -> str:
    return verdict.problem if isinstance(verdict, Fit) else verdict.message


def _hint(raw: Entry, case: Case, verdict: Verdict) -> str:
    if isinstance(verdict, CompileError):
        return verdict.hint or ""
    nearest = [*_recipes_that_fit(raw, case), *_width_that_fits(raw, case, verdict)]
    return "; or ".join(nearest) or verdict.hint


def _recipes_that_fit(raw: Entry, case: Case) -> Iterator[str]:
    """Yield the first other recipe of the configuration with which the network fits."""
    model, target = valid_models(raw)[case.model], _target(raw, case.target)
    facts = known_facts(raw, model.dataset)
    if model.architecture is None or facts is None or target is None:
        return
    for name, recipe in valid_recipes(raw).items():
        # Weights alone become fewer by no other stage.
        if recipe.prune_channels and not list(clashes(recipe, target[0].capabilities)):
            verdict = _untrained(raw, case.target, model.architecture, facts, recipe)
            if isinstance(verdict, Fit) and not verdict.problem:
                yield f"deploy recipe {name!r}, with which it fits ({sizes(verdict)})"
                return


def _width_that_fits(raw: Entry, case: Case, verdict: Fit) -> Iterator[str]:
    """Yield the largest narrower network that was found to fit."""
    model, recipe = valid_models(raw)[case.model], deployed_recipes(raw, case.model)[case.recipe]
    facts = known_facts(raw, model.dataset)
    if model.architecture is None or facts is None:
        return
    best, low, high = None, 0.0, 1.0
    factor = verdict.share or 0.25
    for _ in range(_STEPS):
        narrow = _narrowed(model.architecture, factor)
        if narrow is None:
            return
        found = _untrained(raw, case.target, narrow, facts, recipe)
        if isinstance(found, Fit) and not found.problem:
            best, low = (narrow, found), factor
        else:
            high = factor
        factor = (low + high) / 2
    if best is not None:
        changed = _differing(model.architecture, best[0])
        yield f"set `{changed}`, with which it fits ({sizes(best[1])})"


def _narrowed(architecture: Architecture, factor: float) -> Architecture | None:
    """Return an architecture with fewer channels; None where no option of it says how many."""
    path = f"{architecture_module(architecture.name)}:"
    build = plugins.import_path(path + (architecture.name.partition(":")[2] or "build"))
    parameters = inspect.signature(build).parameters
    for option in _WIDTHS:
        if option in parameters:
            given = architecture.options.get(option, parameters[option].default)
            options = {**architecture.options, option: _scaled(given, factor)}
            return Architecture.model_validate({"name": architecture.name, **options})
    return None


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, list | tuple):
        return [_scaled(one, factor) for one in value]
    if isinstance(value, int):
        return max(_LEAST, int(value * factor) // _LEAST * _LEAST)
    return round(value * factor, 3)


def _differing(before: Architecture, after: Architecture) -> str:
    changed = {key: it for key, it in after.options.items() if before.options.get(key) != it}
    return ", ".join(f"{key}: {it}" for key, it in changed.items())


def fits_of(config: Config) -> dict[Case, Fit]:
    """Return what the networks of a configuration take that are known before a build.

    What `check_fits` found out in the same process is not found out again.
    """
    found = verdicts(Raw(config.model_dump(mode="json")))
    return {case: verdict for case, verdict in found.items() if isinstance(verdict, Fit)}


def sizes(fit: Fit) -> str:
    """Return what a network takes, in one line."""
    parts = [
        f"{one.name} {one.needed_bytes / 1024:,.1f} of {one.limit_bytes / 1024:,.1f} kB"
        for one in fit.memories
    ]
    about = "" if fit.exact else ", estimated"
    return f"{', '.join(parts)}, {fit.macs:,} MACs{about}"
