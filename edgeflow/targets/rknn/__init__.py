"""Target kind `rknn`: NPUs of Rockchip's SoCs, by rknn-toolkit2."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from edgeflow.config.base import Text
from edgeflow.figures.accelerator import ACCELERATOR_SHARE, NPU_CYCLES_ESTIMATE
from edgeflow.figures.figure import Figure
from edgeflow.paths import workflow_folder
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Missing,
    Oracle,
    Runtime,
    TargetOptions,
)
from edgeflow.toolchain.base import Environment, Toolchain

Cores = Literal["auto", "core_0", "core_1", "core_2", "core_0_1", "core_0_1_2"]
_CORES = {"rk3588": 3, "rk3576": 2}
"""Cores of the NPUs that have more than one."""


class RKNNOptions(TargetOptions):
    """The NPU of a Rockchip SoC, such as the RK3588 of an Orange Pi 5 or Rock 5."""

    kind: Literal["rknn"]
    platform: Literal["rk3562", "rk3566", "rk3568", "rk3576", "rk3588"] = "rk3588"
    """The SoC; a model for one runs on no other."""
    cores: Cores = "auto"
    """Cores of the NPU that run the model, where it has several: RK3588 three, RK3576 two."""
    library: Text = "librknnrt.so"
    """Name or path of Rockchip's runtime on the device."""

    @model_validator(mode="after")
    def _cores_are_there(self) -> Self:
        last = int(self.cores[-1]) if self.cores != "auto" else 0
        count = _CORES.get(self.platform, 1)
        if self.cores != "auto" and (count == 1 or last >= count):
            named = (
                "one core: leave `cores` out" if count == 1 else f"{count} cores, from core_0 on"
            )
            raise ValueError(f"the NPU of {self.platform} has {named}")
        return self


class RKNN:
    """Quantizes the float network by Rockchip's own quantizer; without that it is in float16."""

    name: ClassVar[str] = "rknn"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "fp16", "ptq-int8"}),
        io=frozenset({"int8", "uint8"}),
        calibration=frozenset({"minmax", "mse"}),
    )
    Options: ClassVar[type[TargetOptions]] = RKNNOptions
    figures: ClassVar[tuple[Figure, ...]] = (ACCELERATOR_SHARE, NPU_CYCLES_ESTIMATE)

    @staticmethod
    def toolchain(options: Any) -> Toolchain:  # noqa: ARG004  # part of the protocol
        """Return the toolkit's environment: 5.6 GB, with a PyTorch that it imports."""
        lock = workflow_folder() / "envs" / "rknn.txt"
        return Toolchain(
            worker="edgeflow.targets.rknn.rknn_worker",
            environment=Environment(lock=lock, python="3.11"),
        )

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is missing beside the toolchain."""
        return []

    @staticmethod
    def compile(job: CompileInput, options: RKNNOptions, out: Path) -> CompiledModel:
        """Write model.rknn, and model.json with what the engine has to know of it.

        Raises:
            CompileError: the network has no form in ONNX, or the toolkit refuses that.
        """
        from edgeflow.targets.rknn.compilation import compile_for

        return compile_for(job, options.platform, out)

    @staticmethod
    def runtime(options: RKNNOptions) -> Runtime:
        """Return the engine for the device; Rockchip's simulator makes the reference."""
        from edgeflow.exported.onnx import TOOLS

        return Runtime(
            engine_module="edgeflow.ondevice.engine_rknn",
            engine_options={
                "platform": options.platform,
                "cores": None if options.platform not in _CORES else options.cores,
                "library": options.library,
            },
            host_engine_options={},
            tolerance=TOLERANCE,
            tools=TOOLS,
            oracle=Oracle(
                module="edgeflow.targets.rknn.simulator",
                options={"platform": options.platform},
                tools=(),
            ),
            runs_here=False,
        )


TOLERANCE = 2e-2
"""Difference of a float output that NPU and simulator may show, both in float16."""
