"""Classification: one output for each class; the largest is the answer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgeflow.tasks.base import Facts, Task
from edgeflow.tasks.metric import Metric

if TYPE_CHECKING:
    from edgeflow.tasks.base import Floats, Numbers, Truth

ROUNDING = 1e-3
"""What float16 arithmetic may add to probabilities, or to their sum."""


class Classification(Task):
    """The class of a sample."""

    name = "classification"
    title = "classification"
    one = "a classifier"
    metric = Metric(
        name="accuracy",
        title="accuracy",
        better="higher",
        meaning="the share of samples whose largest output is at the true class",
        task="classification",
        share=True,
        worse_default=0.01,
    )
    outputs_form = "one value for each class, in the order of the labels"

    def wanted(self, facts: Facts) -> str:
        """Return the number of classes."""
        return f"{len(facts.labels)} classes"

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

    def curve(self, keras: Any) -> Any:
        """Return the share of samples whose largest output is at the true class."""
        return keras.metrics.SparseCategoricalAccuracy(name=self.metric.name)

    def figure(self, outputs: "Floats", inputs: "Floats", truth: "Truth") -> float:  # noqa: ARG002
        """Return the accuracy: the share of samples whose largest output is at the true class."""
        return float((outputs.argmax(axis=1) == truth).mean())

    def meaning(
        self,
        outputs: "Floats",
        inputs: "Floats",  # noqa: ARG002
        truth: "Truth",  # noqa: ARG002
        step: float,
    ) -> dict[str, Any]:
        """Return whether outputs are probabilities: none beyond 0..1, and each sample's add to 1.

        Networks trained here give logits; those of model files may end in a softmax.
        """
        import numpy as np

        within = ROUNDING + step / 2
        sums = outputs.sum(axis=1, dtype=np.float64)
        alike = np.abs(sums - 1) <= ROUNDING + outputs.shape[1] * step / 2
        inside = (outputs >= -within) & (outputs <= 1 + within)
        return {"probabilities": bool(alike.all() and inside.all())}

    def decisions(
        self,
        outputs: Mapping[str, "Floats"],
        inputs: "Floats",  # noqa: ARG002
        truth: "Truth",  # noqa: ARG002
    ) -> dict[str, "Numbers"]:
        """Return the places of the largest outputs."""
        return {stage: values.argmax(axis=1) for stage, values in outputs.items()}
