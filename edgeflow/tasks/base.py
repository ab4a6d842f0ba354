"""What a task says, so that no step asks which one it works for.

A dataset has *labels*, names in an order, and for each sample a *truth*. The labels name classes,
or the values of a truth; a network has an output for each label, or reconstructs its input.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from edgeflow.errors import DataError
from edgeflow.tasks.metric import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Numbers = NDArray[np.int64]
    Truth = NDArray[Any]
    """Of samples: class numbers, int64 (n,), or values, float32 (n, labels)."""


class Facts(Protocol):
    """What a task needs to know of a dataset."""

    @property
    def labels(self) -> Sequence[str]:
        """Names of classes or of values."""

    @property
    def input_shape(self) -> Sequence[int]:
        """Shape of a sample, without the batch."""


class Task(ABC):
    """What differs between tasks. The defaults are those of class numbers.

    Attributes:
        name: as `task:` has it in the configuration.
        title: what its networks learn, for a dataset's card.
        one: a network of it, in a sentence.
        metric: the figure that its networks are judged by.
        outputs: whether a network has one output for each label, or one for each value of its
            input.
        truth_form: what a file's truth must be, for messages.
        outputs_form: what a network's outputs must be, for messages.
        classes: whether the truth of a sample is a class, as sources with names have it.
        validates: whether the validation set can tell the metric.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    one: ClassVar[str]
    metric: ClassVar[Metric]
    outputs: ClassVar[Literal["labels", "input"]] = "labels"
    truth_form: ClassVar[str] = "class numbers integer (n,)"
    outputs_form: ClassVar[str]
    classes: ClassVar[bool] = True
    validates: ClassVar[bool] = True

    # Of the dataset

    def truth(self, given: "NDArray[Any]") -> "Truth | None":
        """Return the truth of samples as it is stored; None where an array can be none.

        Args:
            given: as it stands in a file.
        """
        column = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
        return column.astype("int64") if column.ndim == 1 and column.dtype.kind in "iu" else None

    def default_labels(self, truths: Sequence["Truth"]) -> tuple[str, ...]:
        """Return labels for the truth of all parts, where nobody gives them any."""
        import numpy as np

        return tuple(str(number) for number in range(len(np.unique(np.concatenate(truths)))))

    def label_count(self, truths: Sequence["Truth"]) -> int:
        """Return the number of labels, as far as the truth of all parts tells."""
        return int(max(truth.max() for truth in truths)) + 1

    def check(self, labels: Sequence[str], truths: Mapping[str, "Truth"]) -> None:
        """Refuse a truth that does not fit its labels, or is not enough.

        Args:
            labels: of the dataset, in the order of its source.
            truths: of the parts that the source brings.

        Raises:
            DataError: with the first thing that is wrong.
        """
        if len(labels) < 2:
            raise DataError(
                f"the dataset has {len(labels)} class(es); {self.one} needs two or more",
                hint="add samples of another class",
            )
        for part, truth in truths.items():
            if len(truth) and (truth.min() < 0 or truth.max() >= len(labels)):
                raise DataError(
                    f"the {part} part has class numbers {truth.min()}..{truth.max()} for "
                    f"{len(labels)} labels",
                    hint=f"number the classes from 0 to {len(labels) - 1}, or list all labels",
                )

    def check_parts(self, labels: Sequence[str], truths: Mapping[str, "Truth"]) -> None:  # noqa: B027
        """Refuse parts that the task cannot be made of.

        Args:
            labels: in the order that the user asks for.
            truths: of the parts that the source brings.

        Raises:
            DataError: with the first thing that is wrong.
        """

    def strata(self, truth: "Truth") -> "Numbers":
        """Return the number of each sample's stratum, (n,): draws take a share of each."""
        return truth

    def strata_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the strata, in the order of their numbers."""
        return tuple(labels)

    def learned(self, labels: Sequence[str]) -> int:
        """Return how many of the strata, the first ones, may be in other parts than test."""
        return len(self.strata_names(labels))

    def table(
        self, labels: Sequence[str], truths: Mapping[str, "Truth"]
    ) -> tuple[str, list[list[object]]]:
        """Return a heading and a table, its head first, that tell of the truth of each part."""
        import numpy as np

        counts = [np.bincount(y, minlength=len(labels)).tolist() for y in truths.values()]
        rows = [
            [number, label, *(of_part[number] for of_part in counts)]
            for number, label in enumerate(labels)
        ]
        totals = ["", "all", *map(sum, counts)]
        return "Samples of each class", [["number", "label", *truths], *rows, totals]

    # Of the network

    def output_shape(self, facts: Facts) -> tuple[int, ...]:
        """Return the shape of the network's output, without the batch."""
        return tuple(facts.input_shape) if self.outputs == "input" else (len(facts.labels),)

    @abstractmethod
    def wanted(self, facts: Facts) -> str:
        """Return what a dataset has that a network's outputs must fit, as "10 classes"."""

    def target(self, x: Any, y: Any) -> Any:  # noqa: ARG002
        """Return what a batch's outputs are held against in training: here the truth."""
        return y

    @abstractmethod
    def loss(self, keras: Any) -> Any:
        """Return the training's loss, called with `target` and outputs."""

    def imitation(self, keras: Any, temperature: float) -> Any:  # noqa: ARG002
        """Return the loss of learning from a teacher, called with its outputs and the own.

        It is that of learning from the truth, unless outputs are odds, which can be softened.
        """
        return self.loss(keras)

    def curve(self, keras: Any) -> Any:  # noqa: ARG002
        """Return the metric as Keras keeps it in each epoch, or None where it keeps none."""
        return None

    # Of outputs

    @abstractmethod
    def figure(self, outputs: "Floats", inputs: "Floats", truth: "Truth") -> float:
        """Return the metric.

        Args:
            outputs: of the network, dequantized, (n, *output_shape).
            inputs: of the network, float32 (n, *input_shape).
            truth: of the samples, (n, ...).
        """

    @abstractmethod
    def decisions(
        self, outputs: Mapping[str, "Floats"], inputs: "Floats", truth: "Truth"
    ) -> "dict[str, NDArray[Any]]":
        """Return what each stage decides for, (n, ...).

        Args:
            outputs: of each stage, as for `figure`; one of them is ``baseline``.
            inputs: as for `figure`.
            truth: as for `figure`.
        """

    def meaning(
        self,
        outputs: "Floats",  # noqa: ARG002
        inputs: "Floats",  # noqa: ARG002
        truth: "Truth",  # noqa: ARG002
        step: float,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Return what it takes to read answers from outputs, beside the labels.

        Args:
            outputs: as for `figure`, of the network that is deployed.
            inputs: as for `figure`.
            truth: as for `figure`.
            step: of the outputs' integers; 0 where they are floats.
        """
        return {}

    def agree(
        self,
        one: "NDArray[Any]",
        other: "NDArray[Any]",
        truth: "Truth",  # noqa: ARG002
    ) -> "NDArray[np.bool_]":
        """Return for which samples two stages decide alike, (n,)."""
        alike: NDArray[np.bool_] = one == other
        return alike

    def confusion(
        self, decided: "NDArray[Any]", truth: "Truth", labels: Sequence[str]
    ) -> list[list[int]] | None:
        """Return counts by true class (row) and decision (column); None where there are none."""
        import numpy as np

        classes = len(labels)
        counts = np.bincount(truth * classes + decided, minlength=classes**2)
        matrix: list[list[int]] = counts.reshape(classes, classes).tolist()
        return matrix
