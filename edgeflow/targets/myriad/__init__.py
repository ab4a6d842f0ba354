"""Target kind `myriad`: Movidius sticks, as VPU graphs of OpenVINO 2021.4."""

import tempfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from edgeflow.exported.onnx import TOOLS
from edgeflow.figures.accelerator import ACCELERATOR_SHARE
from edgeflow.figures.figure import Figure
from edgeflow.paths import workflow_folder
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Lint,
    Missing,
    Runtime,
    TargetOptions,
)
from edgeflow.targets.myriad.operators import findings
from edgeflow.toolchain.base import Environment, Toolchain

REFERENCE = "reference.onnx"
"""The network that the host runs; no part of the bundle."""
Platform = Literal["myriad-x", "myriad-2"]
SHAVES: dict[str, int] = {"myriad-x": 16, "myriad-2": 12}
"""Vector processors of each chip, as OpenVINO may use them."""
CMX_SLICES: dict[str, int] = {"myriad-x": 19, "myriad-2": 12}
"""Slices of its on-chip memory, of 128 KiB, likewise."""
_CONFIG: dict[str, str] = {"MYRIAD_THROUGHPUT_STREAMS": "1"}
"""All of the chip for one sample at a time: by default half of a Myriad X waits for another one."""


class MyriadOptions(TargetOptions):
    """Movidius VPU in a USB stick: Neural Compute Stick 2 (Myriad X), or the first (Myriad 2)."""

    kind: Literal["myriad"]
    platform: Platform = "myriad-x"
    """Chip: myriad-x of the Neural Compute Stick 2, myriad-2 of the first stick."""
    shaves: Annotated[int, Field(ge=1, le=16)] | None = None
    """Vector processors for the network, with `cmx_slices`; by default all, 16 of a Myriad X and
    12 of a Myriad 2."""
    cmx_slices: Annotated[int, Field(ge=1, le=19)] | None = None
    """Slices of on-chip memory, of 128 KiB, at least one for each of `shaves`; by default all, 19
    of a Myriad X and 12 of a Myriad 2."""

    @model_validator(mode="after")
    def _are_there(self) -> Self:
        if self.shaves is None and self.cmx_slices is None:
            return self
        if self.shaves is None or self.cmx_slices is None:
            raise ValueError("give both `shaves` and `cmx_slices`, or none of them")
        most = SHAVES[self.platform], CMX_SLICES[self.platform]
        if self.shaves > most[0] or self.cmx_slices > most[1]:
            raise ValueError(f"a {self.platform} has {most[0]} SHAVEs and {most[1]} CMX slices")
        if self.shaves > self.cmx_slices:
            raise ValueError("each of `shaves` needs a slice of its own in `cmx_slices`")
        return self


class Myriad:
    """Lets OpenVINO 2021.4 compile the float network for the VPU, which computes in float16."""

    name: ClassVar[str] = "myriad"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "fp16"}), lint_untrained=True, unit=frozenset({"usb"})
    )
    Options: ClassVar[type[TargetOptions]] = MyriadOptions
    figures: ClassVar[tuple[Figure, ...]] = (ACCELERATOR_SHARE,)

    @staticmethod
    def toolchain(options: Any) -> Toolchain:  # noqa: ARG004  # part of the protocol
        """Return the environment of OpenVINO 2021.4, which also makes the reference outputs."""
        lock = workflow_folder() / "envs" / "myriad.txt"
        where = Environment(lock=lock, python="3.9")
        return Toolchain(worker=f"{__package__}.worker", environment=where, host_environment=where)

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond the toolchain, which uv installs."""
        return []

    @staticmethod
    def lint(model: Path, options: MyriadOptions) -> list[Lint]:
        """Name operators that ONNX or the VPU lacks, and a chip that new releases do not start."""
        return findings(model, options.platform)

    @staticmethod
    def compile(job: CompileInput, options: MyriadOptions, out: Path) -> CompiledModel:
        """Write the VPU graph, what the engine has to know of it, and the reference's ONNX.

        Raises:
            CompileError: ONNX, OpenVINO or the VPU lacks an operator.
            MissingToolError: there is no Python 3.9, or its packages cannot be installed.
        """
        from edgeflow.targets.myriad.compilation import compile_for

        with tempfile.TemporaryDirectory() as name:
            return compile_for(job, options.platform, _config(options), Path(name), out)

    @staticmethod
    def runtime(options: Any) -> Runtime:  # noqa: ARG004  # part of the protocol
        """Return the plug-in of the stick; on the host the same ONNX runs on the CPU's."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_myriad",
            engine_options={"config": {**_CONFIG}},
            host_engine_options={"reference": REFERENCE},
            tolerance=TOLERANCE,
            tools=TOOLS,
        )


TOLERANCE = 5e-2
"""What float16 may change of an output: the step of numbers from 16 to 32 is 1.6e-2."""


def _config(options: MyriadOptions) -> dict[str, str]:
    if options.shaves is None:
        return _CONFIG
    return {
        **_CONFIG,
        "MYRIAD_NUMBER_OF_SHAVES": str(options.shaves),
        "MYRIAD_NUMBER_OF_CMX_SLICES": str(options.cmx_slices),
    }
