"""Anomaly detection: the network reconstructs its input; what it reconstructs badly is anomalous.

Class 0 is normal, class 1 anomalous. Networks learn from normal samples alone.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.errors import DataError
from edgeflow.tasks.base import Facts, Task
from edgeflow.tasks.metric import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Floats, Numbers, Truth

FALSE_ALARMS = 0.05
"""Share of normal test samples that the baseline's threshold takes for anomalous."""


class Anomaly(Task):
    """What is normal, and so what is not."""

    name = "anomaly"
    title = "anomaly; class 0 is normal, class 1 anomalous and in the test set alone"
    one = "a detector of anomalies"
    metric = Metric(
        name="auc",
        title="AUC",
        better="higher",
        meaning="the area under the ROC curve",
        task="anomaly",
        share=True,
    )
    outputs = "input"
    outputs_form = "the shape of its input, as an autoencoder's"
    validates = False  # there are no anomalies in the validation set

    def check_parts(self, labels: Sequence[str], truths: Mapping[str, "Truth"]) -> None:
        """Refuse other than two classes, and anomalies in a train or validation set.

        Raises:
            DataError: with the first thing that is wrong.
        """
        if len(labels) != 2:
            raise DataError(
                f"`task: anomaly` needs two classes, normal and anomalous; there are {len(labels)}",
                hint="give all normal samples one class and all others another, or remove `task:`",
            )
        for part, truth in truths.items():
            anomalous = int((truth == 1).sum())
            if part != "test" and anomalous and len(truths) > 1:
                raise DataError(
                    f"the source's {part} set has {anomalous} sample(s) of {labels[1]!r}, the "
                    "anomalous class; `task: anomaly` learns from normal samples alone",
                    hint="move them to the test set (`x_test`, `y_test`, or the folder `test`); "
                    "normal samples are class 0: order the classes by `labels:`",
                )

    def learned(self, labels: Sequence[str]) -> int:  # noqa: ARG002
        """Return 1: normal samples."""
        return 1

    def wanted(self, facts: Facts) -> str:
        """Return the shape of samples."""
        return f"inputs of shape {tuple(facts.input_shape)}, and `task: anomaly`"

    def target(self, x: Any, y: Any) -> Any:  # noqa: ARG002
        """Return the input."""
        return x

    def loss(self, keras: Any) -> Any:
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError()

    def figure(self, outputs: "Floats", inputs: "Floats", truth: "Truth") -> float:
        """Return the area under the ROC curve of the scores."""
        return auc(_scores(outputs, inputs), truth)

    def meaning(
        self,
        outputs: "Floats",
        inputs: "Floats",
        truth: "Truth",
        step: float,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return the threshold of the network's own scores (see `FALSE_ALARMS`), a float32."""
        import numpy as np

        scores = _scores(outputs, inputs)[truth == 0]
        return {"threshold": float(np.float32(np.quantile(scores, 1 - FALSE_ALARMS)))}

    def decisions(
        self, outputs: Mapping[str, "Floats"], inputs: "Floats", truth: "Truth"
    ) -> dict[str, "Numbers"]:
        """Return 1 where the score is above the baseline stage's threshold (see `FALSE_ALARMS`)."""
        import numpy as np

        scores = {stage: _scores(values, inputs) for stage, values in outputs.items()}
        threshold = np.quantile(scores["baseline"][truth == 0], 1 - FALSE_ALARMS)
        return {stage: (values > threshold).astype(np.int64) for stage, values in scores.items()}


def auc(scores: "NDArray[np.floating[Any]]", truth: "Numbers") -> float:
    """Return the area under the ROC curve: how often an anomalous sample outscores a normal one.

    Equal scores count half (the Mann-Whitney statistic: Hanley and McNeil, "The meaning and use
    of the area under a receiver operating characteristic (ROC) curve", Radiology 143, 1982).

    Raises:
        DataError: only one of the two classes is there.
    """
    import numpy as np

    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    positive = truth == 1
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
