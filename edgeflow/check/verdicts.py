"""What targets say of networks before these are trained.

A target with a method `fit` judges a .tflite; it gets that of the untrained network after the
recipe, or the file that the user brings.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgeflow.check.networks import known_facts
from edgeflow.check.sections import valid_models
from edgeflow.check.suits import deployed_recipes
from edgeflow.config.finding import Keys
from edgeflow.config.fit import clashes
from edgeflow.config.model import Architecture, Model
from edgeflow.config.modelfile import kind_of, quantization
from edgeflow.config.raw import Entry, deployments, entries, once, targets_of
from edgeflow.config.recipe import Recipe
from edgeflow.config.target import capabilities_of, target_classes, toolchain_of
from edgeflow.console import native_quiet
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError, EdgeflowError, MissingToolError, TrainingError
from edgeflow.targets.base import Fit
from edgeflow.targets.worker import Worker


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


@once
def verdicts(raw: Entry) -> Mapping[Case, Verdict]:
    """Return what targets say of the networks that they are to run, as far as that is known."""
    cases = dict.fromkeys(case for _, cases in cases_of(raw) for case in cases)
    found = {case: _verdict(raw, case) for case in cases}
    return {case: verdict for case, verdict in found.items() if verdict is not None}


def cases_of(raw: Entry) -> Iterator[tuple[Keys, list[Case]]]:
    """Yield the keys of each deployment, with its cases that a target can judge."""
    for keys, deployment, _ in deployments(raw):
        model, recipe = deployment.get("model"), deployment.get("recipe")
        if isinstance(model, str) and isinstance(recipe, str):
            targets = targets_of(raw, deployment)
            cases = [Case(model=model, recipe=recipe, target=target) for target in targets]
            yield keys, [case for case in cases if _is_judged(raw, case)]


def _is_judged(raw: Entry, case: Case) -> bool:
    recipe = deployed_recipes(raw, case.model).get(case.recipe)
    target = judging_target(raw, case.target)
    if recipe is None or target is None or case.model not in valid_models(raw):
        return False
    given = _file(valid_models(raw)[case.model])
    return bool(given) or not list(clashes(recipe, capabilities_of(*target)))


def judging_target(raw: Entry, name: str) -> tuple[Any, Any] | None:
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
    return untrained(raw, case.target, model.architecture, facts, recipe)


def _file(model: Model) -> Path | None:
    """Return the .tflite of a model that came quantized."""
    path = Path(model.source).expanduser() if model.source else None
    return path if path and kind_of(path) == "tflite" and quantization(path) else None


def untrained(
    raw: Entry, target: str, architecture: Architecture, facts: DatasetFacts, recipe: Recipe
) -> Verdict | None:
    """Return the verdict on a network that is not trained; None where nobody can tell."""
    content = rehearsed(architecture, facts, recipe)
    return content if not isinstance(content, bytes) else _judged(raw, target, content)


def rehearsed(
    architecture: Architecture, facts: DatasetFacts, recipe: Recipe
) -> bytes | CompileError | None:
    """Return the int8 .tflite of a network that is not trained; None where that cannot be had.

    It is an error where the recipe can never be applied.
    """
    try:
        return _rehearsed(
            architecture.model_dump_json(), facts.model_dump_json(), recipe.model_dump_json()
        )
    except CompileError as error:
        return error
    except TrainingError:
        return None  # among the findings of the architectures
    except Exception:  # a user's own layer may raise anything when copied
        return None


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
    found = judging_target(raw, target)
    if found is None:
        return None
    cls, options = found
    return _asked(cls, options.model_dump_json(), content)


@cache
def _asked(cls: Any, options: str, content: bytes) -> Verdict | None:
    parsed = cls.Options.model_validate_json(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(content)
        try:
            fit: Fit = cls.fit(path, parsed, _worker(cls, parsed))
        except CompileError as error:
            return error
        except MissingToolError:
            return None  # `edgeflow check` says so
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
