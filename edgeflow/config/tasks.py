"""What the task of a dataset rules out elsewhere in the configuration."""

from collections.abc import Iterator

from edgeflow.config.finding import Finding
from edgeflow.config.recipe import Recipe
from edgeflow.config.root import Config


def check_tasks(config: Config) -> list[Finding]:
    """Return the deployments whose recipe needs a validation set with a metric, and has none."""
    return list(_unjudged(config))


def _unjudged(config: Config) -> Iterator[Finding]:
    for index, deployment in enumerate(config.deployments):
        model, recipe = config.models.get(deployment.model), config.recipes.get(deployment.recipe)
        dataset = config.datasets.get(model.dataset) if model else None
        if model is None or recipe is None or dataset is None or dataset.task != "anomaly":
            continue
        for key in _judging(recipe):
            yield Finding(
                keys=("deployments", index, "recipe"),
                message=f"recipe {deployment.recipe!r} has `{key}`, which judges by the validation "
                f"set; that of {model.dataset!r} has no anomalies (`task: anomaly`)",
                hint="use a recipe without it, and a gate: it judges by the test set",
            )


def _judging(recipe: Recipe) -> list[str]:
    """Return the keys of a recipe that compare accuracies on the validation set."""
    if recipe.auto is not None:
        return ["auto"]
    return ["keep_float.worst"] if recipe.keep_float and recipe.keep_float.worst else []
