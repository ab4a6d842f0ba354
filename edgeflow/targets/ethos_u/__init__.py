"""Target kind `ethos_u`: Arm's Ethos-U NPUs, by Vela."""

import sys
from pathlib import Path
from typing import Any, ClassVar

from edgeflow.figures.figure import Figure
from edgeflow.paths import workflow_folder
from edgeflow.targets.base import (
    LITERT,
    Capabilities,
    CompiledModel,
    CompileInput,
    Fit,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.ethos_u.figures import FIGURES
from edgeflow.targets.ethos_u.options import EthosUOptions
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.base import Environment, Toolchain


class EthosU:
    """Lets Vela compile the recipe's int8 .tflite: what the NPU takes becomes one operator each."""

    name: ClassVar[str] = "ethos_u"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"ptq-int8", "ptq-int16x8", "qat-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile", "mse"}),
        keep_float=True,
        quantized_source=frozenset({"ptq-int8", "ptq-int16x8"}),
        lint_untrained=True,
    )
    Options: ClassVar[type[TargetOptions]] = EthosUOptions
    figures: ClassVar[tuple[Figure, ...]] = FIGURES

    @staticmethod
    def toolchain(options: Any) -> Toolchain:  # noqa: ARG004  # part of the protocol
        """Return Vela's environment, in edgeflow's own version of Python: Vela runs in all."""
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        lock = workflow_folder() / "envs" / "ethos_u.txt"
        return Toolchain(
            worker="edgeflow.targets.ethos_u.vela_worker",
            environment=Environment(lock=lock, python=python),
        )

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is missing beside the toolchain."""
        return []

    @staticmethod
    def lint(model: Path, options: EthosUOptions) -> list[Lint]:
        """Name operators that the NPU cannot take, by their names and types."""
        from edgeflow.targets.ethos_u.operators import findings

        return findings(model, options.family)

    @staticmethod
    def fit(model: Path, options: EthosUOptions, worker: Worker | None) -> Fit:
        """Return what a network takes of the SRAM, as Vela places it.

        Raises:
            CompileError: Vela refuses it, or what is left to the CPU is not allowed.
            MissingToolError: Vela is not at hand.
        """
        from edgeflow.targets.ethos_u.compilation import fit

        return fit(model, options, worker)

    @staticmethod
    def compile(job: CompileInput, options: EthosUOptions, out: Path) -> CompiledModel:
        """Write model.tflite, whose operators `ethos-u` the NPU runs.

        Raises:
            CompileError: Vela refuses the model, nothing of it or not enough runs on the NPU, or
                it takes too much SRAM.
        """
        from edgeflow.targets.ethos_u.compilation import compile_for

        return compile_for(job, options, out)

    @staticmethod
    def runtime(options: EthosUOptions) -> Runtime:
        """Return the interpreter with the NPU's delegate; the input model is the reference."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_ethos_u",
            engine_options={
                "delegate": options.delegate,
                "device": options.device,
                "threads": options.threads,
            },
            host_engine_options={},
            tolerance=0.0,
            tools=(),
            oracle=LITERT,
            runs_here=False,
        )
