"""All tasks. A further one is a file beside this with a subclass of `Task`, and an entry here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from edgeflow.figures.figure import Figure
from edgeflow.tasks.anomaly import Anomaly
from edgeflow.tasks.base import Task
from edgeflow.tasks.classification import Classification
from edgeflow.tasks.metric import Metric
from edgeflow.tasks.regression import Regression

_ALL: tuple[Task, ...] = (Classification(), Anomaly(), Regression())

TASKS: Mapping[str, Task] = {task.name: task for task in _ALL}
"""Each task by its name; the first is that of a dataset which names none."""

METRICS: Mapping[str, Metric] = {task.metric.name: task.metric for task in _ALL}
"""Each metric by its name."""

METRIC_FIGURES: tuple[Figure, ...] = tuple(
    figure for metric in METRICS.values() for figure in (metric.level, metric.change)
)
"""What gates can hold of each metric."""

if TYPE_CHECKING:
    TaskName = str
else:
    TaskName = Literal[tuple(TASKS)]

DEFAULT: TaskName = _ALL[0].name


class _Named(Protocol):
    @property
    def task(self) -> str: ...


def task_of(facts: _Named) -> Task:
    """Return the task that a dataset's facts, or its section of the configuration, name."""
    return TASKS[facts.task]
