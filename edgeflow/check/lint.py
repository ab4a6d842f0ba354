"""What targets say of networks before anything is built."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeflow.check.networks import known_facts
from edgeflow.check.suits import deployed_recipes
from edgeflow.check.verdicts import rehearsed
from edgeflow.config.modelfile import kind_of
from edgeflow.config.raw import Entry, Raw
from edgeflow.config.target import target_kind
from edgeflow.plan import Plan
from edgeflow.targets import registry
from edgeflow.targets.base import Target
from edgeflow.targets.lint import lint


def lints(plan: Plan, *, fast: bool) -> Iterator[str]:
    """Yield a line for each finding of a target in the .tflite of a model that it is to run.

    That is the file that the user brings, or the untrained network after the recipe, for targets
    that ask for it. Files of other kinds are seen by their targets once they are converted.

    Args:
        plan: of the configuration.
        fast: whether to build no network.
    """
    yield from _of_files(plan)
    if not fast:
        yield from _of_networks(plan)


def _of_files(plan: Plan) -> Iterator[str]:
    pairs = dict.fromkeys((unit.model, unit.target) for unit in plan.units)
    for model, target in pairs:
        source = plan.config.models[model].source
        path = Path(source).expanduser() if source else None
        if path is None or kind_of(path) != "tflite":
            continue
        cls, options = _target(plan, target)
        for finding in lint(cls, path, options):
            yield f"model {model} for target {target}: {finding}"


def _of_networks(plan: Plan) -> Iterator[str]:
    raw = Raw(plan.config.model_dump(mode="json"))
    cases = dict.fromkeys((unit.model, unit.recipe, unit.target) for unit in plan.units)
    for model, recipe, target in cases:
        cls, options = _target(plan, target)
        content = _untrained(plan, raw, model, recipe) if cls.capabilities.lint_untrained else None
        if content is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(content)
            for finding in lint(cls, path, options):
                yield f"model {model}/{recipe} for target {target}: {finding}"


def _untrained(plan: Plan, raw: Entry, model: str, name: str) -> bytes | None:
    """Return the .tflite of a network that is trained here, before that."""
    section, recipe = plan.config.models[model], deployed_recipes(raw, model).get(name)
    facts = known_facts(raw, section.dataset)
    if section.architecture is None or facts is None or recipe is None:
        return None
    found = rehearsed(section.architecture, facts, recipe)
    return found if isinstance(found, bytes) else None


def _target(plan: Plan, name: str) -> tuple[type[Target], Any]:
    options = plan.config.targets[name]
    return registry.get(target_kind(options)), options
