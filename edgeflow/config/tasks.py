"""What the task of a dataset rules out elsewhere in the configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.config.finding import Finding
from edgeflow.config.fit import valid_recipes
from edgeflow.config.raw import deployments, entries
from edgeflow.config.recipe import Recipe


def check_tasks(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the deployments whose recipe needs a validation set with a metric, and has none."""
    models, datasets, recipes = entries(raw, "models"), entries(raw, "datasets"), valid_recipes(raw)
    for keys, deployment, _ in deployments(raw):
        name, recipe = deployment.get("model"), recipes.get(str(deployment.get("recipe")))
        dataset = models[name].get("dataset") if isinstance(name, str) and name in models else None
        section = datasets.get(dataset, {}) if isinstance(dataset, str) else {}
        if recipe is None or section.get("task") != "anomaly":
            continue
        for key in _judging(recipe):
            yield Finding(
                keys=(*keys, "recipe"),
                message=f"recipe {deployment['recipe']!r} has `{key}`, which judges by the "
                f"validation set; that of {dataset!r} has no anomalies (`task: anomaly`)",
                hint="use a recipe without it, and a gate: it judges by the test set",
            )


def _judging(recipe: Recipe) -> list[str]:
    """Return the keys of a recipe that compare accuracies on the validation set."""
    if recipe.auto is not None:
        return ["auto"]
    return ["keep_float.worst"] if recipe.keep_float and recipe.keep_float.worst else []
