"""Recipes: how a trained model is compressed and quantized."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgeflow.config.base import Reference, Section
from edgeflow.config.limits import change_limit, limiting_change
from edgeflow.config.samples import Part
from edgeflow.tasks.metric import Metric

Quantize = Literal["none", "fp16", "dynamic", "ptq-int8", "ptq-int16x8", "qat-int8", "hgq"]

CALIBRATED: frozenset[str] = frozenset({"ptq-int8", "ptq-int16x8"})
"""Values of `quantize` that read the calibration set; the others do not depend on it."""

DenseScales = Literal["per-channel", "per-tensor"]

INTEGER: frozenset[str] = frozenset({"ptq-int8", "ptq-int16x8", "qat-int8"})
"""Values of `quantize` whose activations are integers with a fixed scale."""

INT8: frozenset[str] = frozenset({"ptq-int8", "qat-int8"})
"""Values of `quantize` whose weights, activations, input and output are 8-bit integers."""

STAGES = ("prune_channels", "distill", "prune", "cluster")
"""The trained stages of a recipe before quantization, in the order in which they run."""

Share = Annotated[float, Field(ge=0, le=1)]
InnerShare = Annotated[float, Field(gt=0, lt=1)]


class Tuning(Section):
    """A stage that trains on: Adam, the learning rate falling to zero by a cosine."""

    epochs: Annotated[int, Field(ge=0)] = 3
    """Passes over the training set; 0 leaves the weights as the stage sets them."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.0e-3
    """Step size at the start of the stage."""


class PruneChannels(Tuning):
    """Structured pruning: whole channels removed, so that the network gets smaller and faster."""

    share: InnerShare = 0.5
    """Share of the channels that goes, of each group of layers whose channels are tied."""


class Distill(Tuning):
    """Knowledge distillation: the network learns a larger network's answers."""

    teacher: Reference
    """Name of another model of this configuration, trained on the same dataset."""
    temperature: Annotated[float, Field(gt=0)] = 4.0
    """Softens the answers of both networks, so that small ones count too."""
    alpha: Share = 0.9
    """Weight of the teacher's answers; the rest is that of the true classes."""


class Prune(Tuning):
    """Magnitude pruning: the smallest weights become zero, along a polynomial schedule."""

    sparsity: InnerShare = 0.8
    """Share of zero weights in each layer at the end."""


class Cluster(Tuning):
    """Weight clustering: the weights of a layer share a few values."""

    clusters: Annotated[int, Field(ge=2, le=256)] = 16
    """Number of distinct weights in each layer."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.0e-4
    """Step size at the start of the stage."""


class Qat(Tuning):
    """Quantization-aware training: the rounding of int8 is part of each forward pass."""

    learning_rate: Annotated[float, Field(gt=0)] = 1.0e-4
    """Step size at the start of the stage."""


class Hgq(Tuning):
    """High-granularity quantization: fixed point, each number with as few bits as it needs."""

    epochs: Annotated[int, Field(ge=0)] = 10
    """Passes over the training set; 0 rounds the weights to `bits` as they are."""
    beta: Annotated[float, Field(ge=0)] = 1.0e-6
    """Price of the network's size in the loss, for each effective bit operation (EBOP). A larger
    one gives fewer bits, a smaller circuit and more errors."""
    bits: Annotated[int, Field(ge=2, le=12)] = 8
    """Bits that weights and activations start with, the sign included."""
    activations: Literal["per-value", "per-tensor"] = "per-value"
    """Whether each value of a tensor has bits of its own, or all of them have the same, as circuits
    want that take in values one after another (`io: stream`)."""


class Calibration(Section):
    """How the range of each activation follows from the calibration set."""

    method: Literal["minmax", "percentile", "mse"] = "minmax"
    """minmax: all values. percentile: rare large ones saturate. mse: the range with the least
    mean squared rounding and saturation error."""
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.99
    """Share of the values inside the range, in percent; read by `method: percentile`."""


@limiting_change(default=0.0)
class KeepFloat(Section):
    """Selective quantization: layers that stay in float32."""

    layers: list[str] = Field(default=[])
    """Layers by name; `*` and `?` stand for any characters."""
    worst: Annotated[int, Field(ge=0)] = 0
    """How many more may stay in float, those with the largest quantization error first, until the
    metric is within its limit, which stands beside this."""

    def limit(self, metric: Metric) -> float:
        """Return how much worse the metric may get."""
        return change_limit(self, metric)


@limiting_change()
class Auto(Section):
    """A choice among recipes: the first that keeps the metric within its limit."""

    recipes: list[Reference] = Field(default=[])
    """Recipes to try, in this order; by default all others, the cheapest on the device first."""

    def limit(self, metric: Metric) -> float:
        """Return how much worse the metric may get."""
        return change_limit(self, metric)


class Recipe(Section):
    """What happens to a trained model before it is compiled. An empty recipe keeps float32.

    The stages run in the order in which they stand here, whatever their order in the file.
    """

    prune_channels: PruneChannels | None = None
    """Structured pruning: removes whole channels."""
    distill: Distill | None = None
    """Knowledge distillation; all later stages but `hgq` learn from the teacher too."""
    prune: Prune | None = None
    """Magnitude pruning: makes weights zero."""
    cluster: Cluster | None = None
    """Weight clustering: makes weights equal. Keeps zeros of `prune`."""
    quantize: Quantize = "none"
    """none: float32. fp16: weights in float16. dynamic: int8 weights, float activations.
    ptq-int8: full integer, scales from the calibration set. ptq-int16x8: the same with int16
    activations. qat-int8: full integer, trained with rounding; keeps zeros and clusters. hgq: fixed
    point for FPGAs, trained with rounding and with the number of bits."""
    qat: Qat = Qat()
    """The training of `quantize: qat-int8`."""
    hgq: Hgq = Hgq()
    """The training of `quantize: hgq`."""
    calibration: Calibration = Calibration()
    """Ranges of activations, for `quantize: ptq-int8`."""
    keep_float: KeepFloat | None = None
    """Layers that `quantize: ptq-int8` leaves in float32."""
    io: Literal["int8", "uint8"] = "int8"
    """Type of input and output of an int8 model."""
    dense_scales: DenseScales = "per-channel"
    """Scales of the weights of dense layers after `quantize: ptq-int8`: one for each output, or one
    for all, which compilers of before 2024 want. `qat-int8` always has one for all."""
    auto: Auto | None = None
    """Instead of all other keys: tries recipes and takes the first that is good enough."""

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        problems = list(self._misplaced())
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misplaced(self) -> Iterator[str]:
        # By value, not by mention: the JSON form of a recipe mentions every key.
        if self.auto is not None and self != Recipe.model_construct(auto=self.auto):
            yield "`auto` stands alone: the recipes that it tries say the rest"
        if self.qat != Qat() and self.quantize != "qat-int8":
            yield "`qat` goes with `quantize: qat-int8`"
        if self.hgq != Hgq() and self.quantize != "hgq":
            yield "`hgq` goes with `quantize: hgq`"
        if self.quantize == "hgq" and (self.prune or self.cluster):
            yield "`quantize: hgq` makes weights zero itself: leave out `prune` and `cluster`"
        if self.quantize != "ptq-int8":
            yield from (f"`{key}` goes with `quantize: ptq-int8`" for key in self._of_ptq_int8())
        if self.io == "uint8" and (self.quantize not in INT8 or self.keep_float is not None):
            yield "`io: uint8` goes with a fully integer `quantize: ptq-int8` or `qat-int8`"

    def _of_ptq_int8(self) -> Iterator[str]:
        """Yield the keys that say something, and that `quantize: ptq-int8` alone reads."""
        if self.calibration.method != "minmax":
            yield "calibration"
        if self.keep_float is not None:
            yield "keep_float"
        if self.dense_scales != "per-channel":
            yield "dense_scales"

    def stages(self) -> dict[str, Tuning]:
        """Return the stages that train, by name, in the order in which they run."""
        named = {name: getattr(self, name) for name in STAGES}
        last: dict[str, dict[str, Tuning]] = {
            "qat-int8": {"qat": self.qat},
            "hgq": {"hgq": self.hgq},
        }
        own = last.get(self.quantize, {})
        return {**{name: stage for name, stage in named.items() if stage is not None}, **own}

    def parts(self) -> tuple[Part, ...]:
        """Return the parts of the dataset that the recipe reads.

        Stages that train read the ranges of activations off what they train on: the calibration
        set is a part of that.
        """
        keep = self.keep_float
        wanted: dict[Part, bool] = {
            "train": bool(self.stages()),
            "validation": bool(self.stages() or self.auto or (keep and keep.worst)),
            "test": True,
            "calibration": self.quantize in CALIBRATED,
        }
        return tuple(part for part, needed in wanted.items() if needed)

    def from_float_tflite(self) -> bool:
        """Return whether integers are made from float.tflite, tensor by tensor.

        The converter itself knows one way to find ranges, and no layers that stay in float.
        """
        own_ranges = self.calibration.method != "minmax"
        return self.quantize == "ptq-int8" and (own_ranges or self.keep_float is not None)

    def cost(self) -> tuple[int, int]:
        """Return what the recipe costs: on the device first, then in epochs of training.

        The order on the device is that of Cortex-M and Cortex-A kernels: integers of 8 bits,
        some layers in float, 16-bit activations, integer weights alone, float. Last comes what is
        for a circuit: elsewhere, fixed point is computed in float.
        """
        order = ("int8", "mixed", "ptq-int16x8", "dynamic", "fp16", "none", "hgq")
        kind = "int8" if self.quantize in INT8 else self.quantize
        place = order.index("mixed" if self.keep_float else kind)
        return place, sum(stage.epochs for stage in self.stages().values())
