"""OpenVINO: IR in float32 or float16, or int8 through NNCF's post-training quantization."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from edgeflow.errors import CompileError
from edgeflow.targets.base import (
    Capabilities,
    CompiledModel,
    CompileInput,
    Missing,
    Runtime,
    TargetOptions,
)


class OpenVINOOptions(TargetOptions):
    """OpenVINO runtime on an Intel (or Arm) CPU, an Intel GPU or NPU."""

    kind: Literal["openvino"]
    device: Literal["CPU", "GPU", "NPU"] = "CPU"
    """Plug-in that runs the model on the device."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Inference threads of the CPU plug-in."""


class OpenVINO:
    """Converts the float network to IR; int8 recipes are quantized by NNCF, in OpenVINO's form."""

    name: ClassVar[str] = "openvino"
    capabilities: ClassVar[Capabilities] = Capabilities(
        quantize=frozenset({"none", "fp16", "ptq-int8"})
    )
    Options: ClassVar[type[TargetOptions]] = OpenVINOOptions

    @staticmethod
    def check(options: Any) -> list[Missing]:  # noqa: ARG004  # part of the protocol
        """Nothing is needed beyond edgeflow's own environment; GPU and NPU only on the device."""
        return []

    @staticmethod
    def compile(job: CompileInput, options: OpenVINOOptions, out: Path) -> CompiledModel:  # noqa: ARG004
        """Write model.xml and model.bin.

        Raises:
            CompileError: OpenVINO cannot read or quantize the model.
        """
        import openvino

        try:
            model = openvino.Core().read_model(job.float_model)
            if job.recipe.quantize == "ptq-int8":
                model = _quantize(model, job)
            _name_nodes(model)
            openvino.save_model(
                model, out / "model.xml", compress_to_fp16=job.recipe.quantize == "fp16"
            )
        except RuntimeError as error:
            raise CompileError(
                f"OpenVINO cannot convert {job.float_model}: {error}",
                hint="check the operators of the architecture against OpenVINO's list",
            ) from error
        operators = sum(node.get_type_name() not in _NO_WORK for node in model.get_ops())
        return CompiledModel(model="model.xml", operators={"cpu": operators})

    @staticmethod
    def runtime(options: OpenVINOOptions) -> Runtime:
        """Return the OpenVINO runtime on the target's plug-in."""
        return Runtime(
            engine_module="edgeflow.ondevice.engine_openvino",
            options={"device": options.device, "threads": options.threads},
            host_options={"device": "CPU", "threads": options.threads},
            tolerance=2e-2,
            tools=("openvino", "nncf"),
        )


_NO_WORK = frozenset({"Parameter", "Constant", "Result"})


def _quantize(model: Any, job: CompileInput) -> Any:
    """Return the int8 model; scales come from the whole calibration set, one sample at a time."""
    import logging

    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)
    if job.calibration is None:
        raise ValueError("ptq-int8 reads the calibration set")
    samples = [sample[None] for sample in job.calibration]
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=len(samples),
        fast_bias_correction=False,  # the fast one lost a point of accuracy on small networks
    )


def _name_nodes(model: Any) -> None:
    """Name nodes by their place: automatic names count up over a process' life."""
    for index, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{index}")
