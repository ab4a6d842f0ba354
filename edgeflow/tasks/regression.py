"""Regression: one output for each value that is to be told of a sample."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeflow.errors import DataError
from edgeflow.tasks.base import Facts, Task
from edgeflow.tasks.metric import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.tasks.base import Floats, Numbers, Truth

ALIKE = 0.02
"""Outputs agree within this share of the range that their target has in the test samples. An int8
output has a step of 0.4 % of its range, and a few steps are what rounding within a network adds."""


class Regression(Task):
    """Values of a sample, in whatever units its truth has."""

    name = "regression"
    title = "regression; labels name the values of a sample's target"
    one = "a regression"
    metric = Metric(
        name="rmse",
        title="RMSE",
        better="lower",
        meaning="the root of the mean squared error over all samples and outputs",
        task="regression",
    )
    classes = False
    truth_form = "values (n,) or (n, targets)"
    outputs_form = "one value for each target, in the order of the labels"

    def truth(self, given: "NDArray[Any]") -> "Truth | None":
        """Return values, float32 (n, targets); None where an array can be none."""
        import numpy as np

        if given.ndim not in {1, 2} or given.dtype.kind not in "iuf":
            return None
        with np.errstate(over="ignore"):  # what float32 cannot hold is inf: the check says so
            return given.reshape(len(given), -1).astype(np.float32)

    def default_labels(self, truths: Sequence["Truth"]) -> tuple[str, ...]:
        """Return the numbers of the targets."""
        return tuple(str(number) for number in range(self.label_count(truths)))

    def label_count(self, truths: Sequence["Truth"]) -> int:
        """Return the number of targets."""
        return int(truths[0].shape[1])

    def check(self, labels: Sequence[str], truths: Mapping[str, "Truth"]) -> None:
        """Refuse targets that are not one for each label, or no numbers.

        Raises:
            DataError: with the first thing that is wrong.
        """
        import numpy as np

        for part, truth in truths.items():
            if truth.dtype.kind != "f":
                raise DataError(
                    "`task: regression` needs values, and the source has classes",
                    hint="bring arrays x and y by `source: npz` or `signal`",
                )
            if truth.shape[1] != len(labels) or not labels:
                raise DataError(
                    f"the {part} part has {truth.shape[1]} target(s) and {len(labels)} label(s)",
                    hint="give each part the same targets, and `labels:` a name for each",
                )
            bad = np.flatnonzero(~np.isfinite(truth).all(axis=1))
            if len(bad):
                raise DataError(
                    f"{len(bad)} target(s) of the {part} part are NaN, infinite or beyond float32; "
                    f"the first is of sample {bad[0]}",
                    hint="remove or fix these samples",
                )

    def strata(self, truth: "Truth") -> "Numbers":
        """Return 0 for all: draws are random."""
        import numpy as np

        return np.zeros(len(truth), np.int64)

    def strata_names(self, labels: Sequence[str]) -> tuple[str, ...]:  # noqa: ARG002
        """Return the one stratum that all samples are in."""
        return ("any",)

    def table(
        self, labels: Sequence[str], truths: Mapping[str, "Truth"]
    ) -> tuple[str, list[list[object]]]:
        """Return range, mean and deviation of each target in each part."""
        head: list[object] = ["target", "part", "samples", "from", "to", "mean", "std"]
        rows = [
            [label, part, len(y), *(f"{value:g}" for value in _spread(y[:, place]))]
            for place, label in enumerate(labels)
            for part, y in truths.items()
        ]
        return "Targets", [head, *rows]

    def wanted(self, facts: Facts) -> str:
        """Return the number of targets."""
        return f"{len(facts.labels)} target(s), and `task: regression`"

    def loss(self, keras: Any) -> Any:
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError()

    def curve(self, keras: Any) -> Any:
        """Return the root of the mean squared error."""
        return keras.metrics.RootMeanSquaredError(name=self.metric.name)

    def figure(self, outputs: "Floats", inputs: "Floats", truth: "Truth") -> float:  # noqa: ARG002
        """Return the root of the mean squared error over all samples and outputs."""
        import numpy as np

        return float(np.sqrt(np.square(np.subtract(outputs, truth, dtype=np.float64)).mean()))

    def decisions(
        self,
        outputs: Mapping[str, "Floats"],
        inputs: "Floats",  # noqa: ARG002
        truth: "Truth",  # noqa: ARG002
    ) -> dict[str, "NDArray[Any]"]:
        """Return the outputs."""
        return dict(outputs)

    def agree(
        self, one: "NDArray[Any]", other: "NDArray[Any]", truth: "Truth"
    ) -> "NDArray[np.bool_]":
        """Return where all outputs are within `ALIKE` of their target's range of each other."""
        import numpy as np

        within = np.abs(one - other) <= ALIKE * (truth.max(axis=0) - truth.min(axis=0))
        alike: NDArray[np.bool_] = within.all(axis=1)
        return alike

    def confusion(
        self,
        decided: "NDArray[Any]",  # noqa: ARG002
        truth: "Truth",  # noqa: ARG002
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[list[int]] | None:
        """Return None: values are not confused with each other."""
        return None


def _spread(values: "NDArray[Any]") -> tuple[float, ...]:
    """Return smallest, largest, mean and standard deviation."""
    import numpy as np

    exact = values.astype(np.float64)
    return float(exact.min()), float(exact.max()), float(exact.mean()), float(exact.std())
