"""NNCF's post-training quantization, alone or until a metric is kept."""

import logging
from typing import TYPE_CHECKING, Any

from edgeflow.config.recipe import Calibration
from edgeflow.targets.base import CompileInput
from edgeflow.targets.openvino.accuracy import Controlled, control

if TYPE_CHECKING:
    from edgeflow.targets.openvino import OpenVINOOptions


def quantize(
    model: Any, job: CompileInput, options: "OpenVINOOptions"
) -> tuple[Any, Controlled | None]:
    """Return the int8 model, and what keeping the metric came to, if it was asked for.

    Scales come from the whole calibration set, one sample at a time.

    Args:
        model: openvino.Model in float.
        job: with the calibration set, and with `validation` for accuracy control.
        options: of the target.

    Raises:
        CompileError: the metric cannot be kept within its limit.
        ValueError: there is no calibration set.
        RuntimeError: NNCF cannot quantize the model.
    """
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    if job.calibration is None:
        raise ValueError("ptq-int8 reads the calibration set")
    samples = [sample if len(sample) > 1 else sample[0] for sample in job.calibration]
    settings = {
        "subset_size": len(samples),
        "fast_bias_correction": False,  # the fast one lost a point of accuracy on small networks
    }
    parameters = _parameters(job.recipe.calibration, options.overflow_fix)
    calibration = nncf.Dataset(samples)
    if options.accuracy_control and job.validation:
        settings["advanced_quantization_parameters"] = parameters
        return control(model, calibration, job.validation, options.accuracy_control, settings)
    return nncf.quantize(model, calibration, advanced_parameters=parameters, **settings), None


def _parameters(calibration: Calibration, overflow_fix: bool) -> Any:
    """Return NNCF's form of a calibration, and of whether weights are kept to 7 bits."""
    from nncf import AdvancedQuantizationParameters, OverflowFix
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    fix = OverflowFix.ENABLE if overflow_fix else OverflowFix.DISABLE
    if calibration.method == "minmax":
        return AdvancedQuantizationParameters(overflow_fix=fix)
    end = StatisticsCollectorParameters(
        statistics_type=StatisticsType.QUANTILE,
        aggregator_type=AggregatorType.MEAN,
        quantile_outlier_prob=(1 - calibration.percentile / 100) / 2,
    )
    return AdvancedQuantizationParameters(
        overflow_fix=fix,
        activations_range_estimator_params=RangeEstimatorParameters(min=end, max=end),
    )
