"""What the worker on a Jetson answers, believed only where it fits."""

from typing import Annotated

from pydantic import AfterValidator, Field

from edgeflow.remote.answer import Answer, Count, Quantity, Words
from edgeflow.text import excerpt

LAYERS_MAX = 10_000
Version = Annotated[str, Field(pattern=r"^\d{1,4}(\.\d{1,4}){1,3}$")]


class Built(Answer):
    """What a plan was built on."""

    board: Annotated[Words, Field(min_length=1)]
    l4t: Version
    tensorrt: Version


class Layer(Answer):
    """One layer of a plan; `time_us` is its mean on that board.

    Its name may be those of all operators that were fused into it, and is cut.
    """

    name: Annotated[str, AfterValidator(excerpt)]
    type: Words
    time_us: Quantity | None


class Answered(Answer):
    """What building a plan told.

    Attributes:
        built: where.
        unscaled: tensors that TensorRT found without a scale.
        times_ms: the performance summary, by title and statistic.
        throughput_qps: inferences in a second.
        layers: of the plan.
    """

    built: Built
    unscaled: Count
    times_ms: Annotated[dict[Words, dict[Words, Quantity]], Field(max_length=10)]
    throughput_qps: Quantity | None
    layers: Annotated[list[Layer], Field(max_length=LAYERS_MAX)]
