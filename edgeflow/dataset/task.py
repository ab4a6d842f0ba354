"""What a network is for: its outputs' shape and loss, and the figure that it is judged by.

All steps that train, measure or compare ask here, by the task that the dataset's facts name.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.int64]

Metric = Literal["accuracy", "auc"]

FALSE_ALARMS = 0.05
"""Share of normal test samples that the float model's threshold takes for anomalous."""


class Task(Protocol):
    """What differs between tasks."""

    metric: Metric
    """Name of the figure, 0..1, that stands wherever an accuracy is stored."""

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """Return the shape of the network's output, without the batch."""

    def figure(self, outputs: "Floats", inputs: "Floats", labels: "Numbers") -> float:
        """Return the metric.

        Args:
            outputs: of the network, dequantized, (n, *output_shape).
            inputs: of the network, float32 (n, *input_shape).
            labels: true class numbers, (n,).
        """

    def decisions(
        self, outputs: Mapping[str, "Floats"], inputs: "Floats", labels: "Numbers"
    ) -> dict[str, "Numbers"]:
        """Return the class numbers, (n,), that each stage decides for.

        Args:
            outputs: of each stage, as for `figure`; one of them is ``baseline``.
            inputs: as for `figure`.
            labels: as for `figure`.
        """

    def target(self, x: Any, y: Any) -> Any:
        """Return what a batch's outputs are held against in training."""

    def loss(self, keras: Any) -> Any:
        """Return the training's loss, called with `target` and outputs."""

    def imitation(self, keras: Any, temperature: float) -> Any:
        """Return the loss of learning from a teacher, called with its outputs and the own."""


class Classification:
    """One output for each class; the largest is the answer."""

    metric: Metric = "accuracy"

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """Return the number of classes."""
        return (len(facts.labels),)

    def figure(self, outputs: "Floats", inputs: "Floats", labels: "Numbers") -> float:  # noqa: ARG002
        """Return the accuracy: the share of samples whose largest output is at the true class."""
        return float((outputs.argmax(axis=1) == labels).mean())

    def decisions(
        self,
        outputs: Mapping[str, "Floats"],
        inputs: "Floats",  # noqa: ARG002
        labels: "Numbers",  # noqa: ARG002
    ) -> dict[str, "Numbers"]:
        """Return the places of the largest outputs."""
        return {stage: values.argmax(axis=1) for stage, values in outputs.items()}

    def target(self, x: Any, y: Any) -> Any:  # noqa: ARG002
        """Return the class numbers."""
        return y

    def loss(self, keras: Any) -> Any:
        """Return the cross entropy of logits."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def imitation(self, keras: Any, temperature: float) -> Any:
        """Return Hinton et al.'s, arXiv 1503.02531; temperature**2 keeps the gradients' size."""
        import tensorflow as tf

        divergence = keras.losses.KLDivergence()

        def loss(teacher: Any, logits: Any) -> Any:
            soft = (tf.nn.softmax(values / temperature) for values in (teacher, logits))
            return temperature**2 * divergence(*soft)

        return loss


class Anomaly:
    """The network reconstructs its input; what it reconstructs badly is anomalous."""

    metric: Metric = "auc"

    def output_shape(self, facts: DatasetFacts) -> tuple[int, ...]:
        """Return the shape of the input."""
        return tuple(facts.input_shape)

    def figure(self, outputs: "Floats", inputs: "Floats", labels: "Numbers") -> float:
        """Return the area under the ROC curve of the scores."""
        return auc(_scores(outputs, inputs), labels)

    def decisions(
        self, outputs: Mapping[str, "Floats"], inputs: "Floats", labels: "Numbers"
    ) -> dict[str, "Numbers"]:
        """Return 1 where the score is above the baseline stage's threshold (see `FALSE_ALARMS`)."""
        import numpy as np

        scores = {stage: _scores(values, inputs) for stage, values in outputs.items()}
        threshold = np.quantile(scores["baseline"][labels == 0], 1 - FALSE_ALARMS)
        return {stage: (values > threshold).astype(np.int64) for stage, values in scores.items()}

    def target(self, x: Any, y: Any) -> Any:  # noqa: ARG002
        """Return the input."""
        return x

    def loss(self, keras: Any) -> Any:
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError()

    def imitation(self, keras: Any, temperature: float) -> Any:  # noqa: ARG002
        """Return the mean squared error: reconstructions are no odds that could be softened."""
        return keras.losses.MeanSquaredError()


def task_of(facts: DatasetFacts) -> Task:
    """Return the task of a dataset."""
    return Anomaly() if facts.task == "anomaly" else Classification()


def auc(scores: "NDArray[np.floating[Any]]", labels: "Numbers") -> float:
    """Return the area under the ROC curve: how often an anomalous sample outscores a normal one.

    Equal scores count half (the Mann-Whitney statistic: Hanley and McNeil, "The meaning and use
    of the area under a receiver operating characteristic (ROC) curve", Radiology 143, 1982).

    Raises:
        DataError: only one of the two classes is there.
    """
    import numpy as np

    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = labels == 1
    ones, zeros = int(positive.sum()), int((~positive).sum())
    if not ones or not zeros:
        raise DataError(
            f"AUC compares two classes, and there are {zeros} normal and {ones} anomalous samples",
            hint="raise `measure.samples`, or give the test set samples of both",
        )
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def _scores(outputs: "Floats", inputs: "Floats") -> "NDArray[np.float64]":
    """Return the mean squared error of each sample's reconstruction, (n,)."""
    import numpy as np

    errors = np.subtract(outputs, inputs, dtype=np.float64).reshape(len(inputs), -1)
    means: NDArray[np.float64] = np.square(errors).mean(axis=1)
    return means
