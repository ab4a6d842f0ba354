"""What the task of a dataset rules out elsewhere in the configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.config.finding import Finding, Keys
from edgeflow.config.fit import candidates, valid_recipes
from edgeflow.config.raw import Entry, deployments, entries
from edgeflow.config.recipe import Recipe
from edgeflow.tasks.base import Task
from edgeflow.tasks.registry import DEFAULT, TASKS

ARRAYS = ("npz", "signal")
"""Sources of any truth; all others have classes."""


def check_tasks(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what does not go with the task that it is used for: sources, recipes and gates."""
    datasets = entries(raw, "datasets")
    for name, section in datasets.items():
        task = _named(section)
        if task and not task.classes and section.get("source") not in (None, *ARRAYS):
            yield Finding(
                keys=("datasets", name, "task"),
                message=f"`task: {task.name}` needs values, and source {section['source']!r} has "
                "classes",
                hint=f"bring arrays x and y by `source: {' or '.join(ARRAYS)}`",
            )
    for keys, deployment, _ in deployments(raw):
        task = _task(raw, deployment.get("model"))
        if task is not None:
            yield from _recipe(raw, keys, deployment, task)
            yield from _gates(keys, deployment, task)


def _named(section: Entry) -> Task | None:
    name = section.get("task", DEFAULT)
    return TASKS.get(name) if isinstance(name, str) else None


def _task(raw: Entry, model: object) -> Task | None:
    """Return the task of a model's dataset, as far as the names lead there."""
    entry = entries(raw, "models").get(model) if isinstance(model, str) else None
    dataset = entry.get("dataset") if entry else None
    section = entries(raw, "datasets").get(dataset) if isinstance(dataset, str) else None
    return _named(section) if section else None


def _recipe(raw: Entry, keys: Keys, deployment: Entry, task: Task) -> Iterator[Finding]:
    """Yield a recipe that judges by the validation set, where that or its limit is missing."""
    known, name = valid_recipes(raw), deployment.get("recipe")
    recipe = known.get(name) if isinstance(name, str) else None
    if recipe is None:
        return
    limit = str(task.metric.change.gate)
    judging = _judging([recipe, *candidates(known, name).values()])
    if judging and not task.validates:
        yield Finding(
            keys=(*keys, "recipe"),
            message=f"recipe {name!r} has {judging}, which judges by the validation set; with "
            f"`task: {task.name}` that cannot tell the {task.metric.title}",
            hint="use a recipe without it, and a gate: it judges by the test set",
        )
    elif recipe.auto is not None and getattr(recipe.auto, limit) is None:
        yield Finding(
            keys=(*keys, "recipe"),
            message=f"recipe {name!r} does not say how much worse the {task.metric.title} may get, "
            f"which it needs with `task: {task.name}`",
            hint=f"set `{limit}` in its `auto`",
            see=("recipes", str(name), "auto"),
        )


def _judging(recipes: list[Recipe]) -> str:
    """Return the first key of recipes that judges by the validation set, or an empty text."""
    for recipe in recipes:
        if recipe.auto is not None:
            return "`auto`"
        if recipe.keep_float and recipe.keep_float.worst:
            return "`keep_float.worst`"
    return ""


def _gates(keys: Keys, deployment: Entry, task: Task) -> Iterator[Finding]:
    """Yield the gates on the metrics of other tasks."""
    gates = deployment.get("gates")
    for other in TASKS.values():
        pairs = (
            (other.metric.level.gate, task.metric.level.gate),
            (other.metric.change.gate, task.metric.change.gate),
        )
        for gate, instead in pairs:
            if isinstance(gates, Mapping) and gate in gates and gate != instead:
                yield Finding(
                    keys=(*keys, "gates", str(gate)),
                    message=f"the {other.metric.title} of `task: {other.name}` is not what a model "
                    f"of `task: {task.name}` is judged by",
                    hint=f"use `{instead}`: {task.metric.title} is {task.metric.meaning}",
                )
