"""Keys that follow from the tasks: how much worse a recipe may make a metric."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, Field, create_model

from edgeflow.tasks.metric import Metric
from edgeflow.tasks.registry import TASKS

Model = TypeVar("Model", bound=BaseModel)


def limiting_change(default: float | None = None) -> Callable[[type[Model]], type[Model]]:
    """Return a decorator that gives a section a limit for each metric of the validation set.

    Args:
        default: of all limits; None stands for that of each metric.
    """
    metrics = [task.metric for task in TASKS.values() if task.validates]
    keys: dict[str, Any] = {str(m.change.gate): _key(m, default) for m in metrics}

    def extended(base: type[Model]) -> type[Model]:
        name, module, text = base.__name__, base.__module__, base.__doc__
        return create_model(name, __base__=base, __module__=module, __doc__=text, **keys)

    return extended


def change_limit(section: BaseModel, metric: Metric) -> float:
    """Return how much worse a metric may get by a section that limits it."""
    value: float | None = getattr(section, str(metric.change.gate))
    if value is None:
        raise ValueError(f"`{metric.change.gate}` is not set")
    return value


def _key(metric: Metric, default: float | None) -> tuple[Any, Any]:
    value = metric.worse_default if default is None else default
    what = "loss" if metric.better == "higher" else "rise"
    text = f"Largest {what} of {metric.title} on the validation set, with `task: {metric.task}`"
    needed = "" if value is not None else "; has no default"
    kind = metric.limit if value is not None else metric.limit | None
    return kind, Field(value, description=f"{text}{metric.range}{needed}.")
