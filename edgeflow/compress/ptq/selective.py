"""Selective quantization: the layers that hurt most stay in float."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from edgeflow.compress.debug.errors import Comparison, LayerError, compare
from edgeflow.compress.evaluate import metric
from edgeflow.compress.ptq.flatbuffer import to_int8
from edgeflow.config.finding import did_you_mean
from edgeflow.config.recipe import DenseScales, KeepFloat
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.tasks.registry import task_of


class Selection:
    """An int8 model in which more and more layers stay in float.

    Attributes:
        model: the .tflite as it is now.
        kept: what stays in float, with the SQNR that the layer had in int8; for those that were
            chosen by their error also how much worse the validation set's metric is after it.
    """

    def __init__(
        self,
        float_model: bytes,
        calibrated: bytes,
        samples: Tensors,
        dense_scales: DenseScales = "per-channel",
    ) -> None:
        self._float_model = float_model
        self._calibrated = calibrated
        self._samples = samples
        self._dense_scales = dense_scales
        self.model = to_int8(calibrated, dense_scales=dense_scales)
        self.kept: list[dict[str, object]] = []
        self._comparison: Comparison = compare(float_model, self.model, samples)
        self._tensors: list[str] = []

    def keep_named(self, patterns: Sequence[str]) -> None:
        """Leave all layers in float whose names match.

        Raises:
            CompileError: a pattern matches no layer.
        """
        for pattern in patterns:
            names = [error.name for error in self._comparison.errors]
            if not any(fnmatchcase(name, pattern) for name in names):
                raise CompileError(
                    f"keep_float.layers: no layer {pattern!r}", hint=did_you_mean(pattern, names)
                )
        named = [
            error
            for error in self._comparison.errors
            if any(fnmatchcase(error.name, pattern) for pattern in patterns)
        ]
        self._keep(named, reason="named")

    def keep_worst(self, limits: KeepFloat, dataset: DatasetView) -> None:
        """Leave layers in float until the validation set loses little enough, or all may.

        Those that add the most error come first.
        """
        judge = task_of(dataset.facts).metric
        most = limits.limit(judge)
        reference = metric(self._float_model, dataset, "validation")
        candidates = [e for e in self._comparison.worst() if e.tensor not in self._tensors]

        def worse() -> float:
            return judge.worse_by(reference, metric(self.model, dataset, "validation"))

        lost = worse()
        for error in candidates[: limits.worst]:
            if lost <= most:
                return
            self._keep([error], reason="worst")
            self.kept[-1]["worse_by"] = lost = worse()

    def _keep(self, layers: Sequence[LayerError], reason: str) -> None:
        self._tensors += [layer.tensor for layer in layers]
        self.kept += [
            {"layer": layer.name, "sqnr_db": layer.sqnr_db, "reason": reason} for layer in layers
        ]
        self.model = to_int8(self._calibrated, keep=self._tensors, dense_scales=self._dense_scales)
        self._require_no_other()

    def _require_no_other(self) -> None:
        """Refuse a model in which the converter silently left a further layer in float."""
        errors = compare(self._float_model, self.model, self._samples[:1]).errors
        others = [
            error.name
            for error in errors
            if error.dtype == "float32" and error.tensor not in self._tensors
        ]
        if others:
            raise CompileError(
                f"layers stay in float that were not to: {', '.join(others)}",
                hint="their operators have no int8 form; name them in `keep_float.layers` too",
            )
