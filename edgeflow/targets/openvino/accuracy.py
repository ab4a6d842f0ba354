"""Quantization that keeps a metric: layers go back to float until it holds."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from edgeflow.console import say
from edgeflow.errors import CompileError
from edgeflow.targets.base import ValidationSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgeflow.targets.openvino import AccuracyControl

ROUNDING = 1e-9
"""Shares of a finite set: without it 0.99 - 0.98 would miss a limit of 0.01."""


PARAMETERS = ["nncf", "quantization", "advanced_accuracy_restorer_parameters"]
"""Where NNCF notes in a model what it was told, with the path of a scratch folder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Controlled:
    """What keeping a metric came to.

    Attributes:
        metric: name of it.
        before: of the float network on the validation set.
        int8: of all layers in int8.
        after: of what was kept.
        reverted: nodes of the model that went back to float.
    """

    metric: str
    before: float
    int8: float
    after: float
    reverted: tuple[Any, ...]

    def facts(self) -> dict[str, JsonValue]:
        """Return it for compile.json, with the names that the nodes have by now."""
        return {
            "metric": self.metric,
            "float": self.before,
            "int8": self.int8,
            "kept": self.after,
            "reverted": [str(node.get_friendly_name()) for node in self.reverted],
        }


def control(
    model: Any,
    calibration: Any,
    data: ValidationSet,
    wanted: "AccuracyControl",
    settings: Mapping[str, Any],
) -> tuple[Any, Controlled]:
    """Return the model in int8, but for layers that the metric needs in float.

    Args:
        model: openvino.Model in float.
        calibration: nncf.Dataset.
        data: the validation set and its metric.
        wanted: limits.
        settings: further arguments of NNCF.

    Raises:
        CompileError: the metric is not kept within its limit.
    """
    import nncf

    samples = list(data.inputs)
    indices = nncf.Dataset(
        range(len(samples)), lambda row: samples[row] if len(samples[row]) > 1 else samples[row][0]
    )
    figures: list[float] = []

    def validate(compiled: Any, asked: Iterable[int]) -> tuple[float, None]:
        rows = list(asked)
        figure = data.figure(_outputs(compiled, samples, rows), rows)
        if len(rows) == len(samples):  # NNCF begins with a trial
            figures.append(figure)
        return (figure if data.metric.better == "higher" else -figure), None

    with tempfile.TemporaryDirectory() as scratch, _compiled_as_by_the_engine():
        made = nncf.quantize_with_accuracy_control(
            model,
            calibration,
            indices,
            validate,
            max_drop=wanted.max_drop + ROUNDING,
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(
                ranking_subset_size=min(wanted.ranking_samples, len(samples)),
                num_ranking_workers=1,  # by default it follows from how long an inference took
                intermediate_model_dir=scratch,
                **({"max_num_iterations": wanted.max_layers} if wanted.max_layers else {}),
            ),
            **settings,
        )
        before, int8 = figures[:2]
        made.set_rt_info("", PARAMETERS)
        reverted = _reverted(Path(scratch) / "intermediate_model.xml", made)
        validate(_compile(made), range(len(samples)))
    found = Controlled(
        metric=data.metric.name, before=before, int8=int8, after=figures[-1], reverted=reverted
    )
    _require_kept(found, data, wanted)
    return made, found


def _outputs(compiled: Any, samples: list[Any], rows: Iterable[int]) -> "NDArray[Any]":
    """Return what the task judges, the first output, of some samples."""
    import numpy as np

    return np.concatenate([compiled(dict(enumerate(samples[row])))[0].copy() for row in rows])


def _compile(model: Any) -> Any:
    import openvino

    return openvino.compile_model(model, "CPU")


@contextmanager
def _compiled_as_by_the_engine() -> Iterator[None]:
    """Let NNCF, which takes no properties, run models with those of the engine.

    With OpenVINO's own ones dense layers in int8 may give noise on CPUs with VNNI.
    """
    import openvino

    compile_model = openvino.compile_model
    properties = {
        "INFERENCE_NUM_THREADS": 1,
        "INFERENCE_PRECISION_HINT": "f32",
        "SNIPPETS_MODE": "DISABLE",
    }

    def compiled(model: Any, device_name: str = "CPU", config: Any = None) -> Any:  # noqa: ARG001
        return compile_model(model, device_name, properties)

    openvino.compile_model = compiled
    try:
        yield
    finally:
        openvino.compile_model = compile_model


def _reverted(int8: Path, made: Any) -> tuple[Any, ...]:
    """Return the nodes of a model that read integers in another one, and do not in this."""
    import openvino

    before, after = _quantized(openvino.Core().read_model(int8)), _quantized(made)
    return tuple(
        node
        for node in made.get_ordered_ops()
        if node.get_friendly_name() in before and node.get_friendly_name() not in after
    )


def _quantized(model: Any) -> set[str]:
    """Return the names of nodes that read what was rounded to integers."""
    return {
        node.get_friendly_name()
        for node in model.get_ops()
        for port in node.inputs()
        if node.get_type_name() not in {"FakeQuantize", *_WITHIN_WEIGHTS}
        and _is_rounded(port.get_source_output().get_node())
    }


_WITHIN_WEIGHTS = ("Convert", "Multiply", "Reshape", "Subtract")


def _is_rounded(source: Any) -> bool:
    """Return whether values are rounded: activations, or weights before or after compression."""
    if source.get_type_name() == "Constant":
        return source.get_element_type().get_type_name() in {"i8", "u8"}
    if source.get_type_name() in _WITHIN_WEIGHTS:
        return _is_rounded(source.input_value(0).get_node())
    return bool(source.get_type_name() == "FakeQuantize")


def _require_kept(found: Controlled, data: ValidationSet, wanted: "AccuracyControl") -> None:
    title, count = data.metric.title, len(found.reverted)
    told = (
        f"{title} on the validation set: {found.before:.6g} in float, {found.int8:.6g} in int8, "
        f"{found.after:.6g} with {count} node{'s' if count != 1 else ''} back in float"
    )
    say(f"accuracy control: {told}")
    if data.metric.worse_by(found.before, found.after) > wanted.max_drop + ROUNDING:
        raise CompileError(
            f"accuracy control does not reach `max_drop: {wanted.max_drop:g}`: {told}",
            hint="allow a larger `max_drop`, or more `max_layers`; or quantize otherwise, as by "
            "`quantize: qat-int8`",
        )
