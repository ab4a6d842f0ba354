"""Target kind `edgetpu`: Coral's accelerator on USB, PCIe or a Dev Board."""

from pathlib import Path
from typing import ClassVar

from edgeflow.targets.base import Capabilities, Lint, TargetOptions
from edgeflow.targets.edgetpu.options import EdgeTPUOptions


class EdgeTPU:
    """Gives the recipe's int8 .tflite to Google's compiler for the Edge TPU."""

    name: ClassVar[str] = "edgetpu"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"ptq-int8", "qat-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile", "mse"}),
        quantized_source=frozenset({"ptq-int8"}),
    )
    Options: ClassVar[type[TargetOptions]] = EdgeTPUOptions

    @staticmethod
    def lint(model: Path, options: EdgeTPUOptions) -> list[Lint]:
        """Name the operators that the compiler leaves on the CPU, each with the reason."""
        from edgeflow.targets.edgetpu.lint import findings

        return findings(model, options)
