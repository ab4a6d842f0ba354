"""Target kind `edgetpu`: Coral's accelerator on USB, PCIe or a Dev Board."""

from pathlib import Path
from typing import Any, ClassVar

from edgeflow.figures.figure import Figure
from edgeflow.targets.base import (
    LITERT,
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.edgetpu.figures import FIGURES, OF_ONE
from edgeflow.targets.edgetpu.options import TOLERANCE, EdgeTPUOptions
from edgeflow.toolchain.base import Program, Toolchain


class EdgeTPU:
    """Gives the recipe's int8 .tflite to Google's compiler for the Edge TPU."""

    name: ClassVar[str] = "edgetpu"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"ptq-int8", "qat-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "percentile", "mse"}),
        quantized_source=frozenset({"ptq-int8"}),
        lint_untrained=True,
        unit=frozenset({"usb", "pci"}),
        unit_by_one=True,
    )
    Options: ClassVar[type[TargetOptions]] = EdgeTPUOptions
    figures: ClassVar[tuple[Figure, ...]] = FIGURES

    @staticmethod
    def toolchain(options: EdgeTPUOptions) -> Toolchain:
        """Return the compiler."""
        program = Program(name=options.compiler, install=_INSTALL)
        return Toolchain(worker="edgeflow.targets.edgetpu.call_compiler", programs=(program,))

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond the compiler; libedgetpu only on the device."""
        return []

    @staticmethod
    def lint(model: Path, options: EdgeTPUOptions) -> list[Lint]:
        """Name the operators that the compiler leaves on the CPU, each with the reason."""
        from edgeflow.targets.edgetpu.lint import findings

        return findings(model, options)

    @staticmethod
    def compile(job: CompileInput, options: EdgeTPUOptions, out: Path) -> CompiledModel:
        """Write the compiled .tflite, or its segments with what lists them.

        Raises:
            CompileError: the compiler refuses the model.
            MissingToolError: the compiler is not installed.
        """
        from edgeflow.targets.edgetpu.compilation import compile_for

        return compile_for(job, options, out)

    @staticmethod
    def runtime(options: EdgeTPUOptions) -> Runtime:
        """Return the interpreter with the Edge TPU's delegate; the recipe's model is its reference.

        The host has no Edge TPU, which is not known to give the very bytes of any other engine.
        """
        engine_options = {"library": options.library, "threads": options.threads}
        return Runtime(
            engine_module="edgeflow.ondevice.engine_edgetpu",
            engine_options=engine_options,
            host_engine_options=engine_options,
            tolerance=TOLERANCE,
            tools=(),
            figures=OF_ONE if options.segments == 1 else None,
            oracle=LITERT,
            runs_here=False,
        )


_REPOSITORY = "https://packages.cloud.google.com/apt"
_KEY = "/usr/share/keyrings/coral-edgetpu.gpg"
_INSTALL = (
    "on Debian or Ubuntu on x86-64, the one CPU that it runs on, run "
    f"`curl -fsSL {_REPOSITORY}/doc/apt-key.gpg | sudo gpg --dearmor -o {_KEY}`, "
    f"`echo 'deb [signed-by={_KEY}] {_REPOSITORY} coral-edgetpu-stable main' | "
    "sudo tee /etc/apt/sources.list.d/coral-edgetpu.list` and "
    "`sudo apt-get update && sudo apt-get install edgetpu-compiler`"
)
