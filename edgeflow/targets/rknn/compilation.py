"""From a float network to a model for Rockchip's NPUs."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeflow.console import native_quiet
from edgeflow.errors import CompileError
from edgeflow.exported.onnx import export_onnx
from edgeflow.figures.accelerator import accelerator_share
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.rknn.rknn_worker import CALIBRATION, MODEL, ONNX

FACTS = "model.json"
"""Inputs, outputs and number of operators, which the runtime on the device does not tell."""
OPSET = 13
STEPS = 3
"""Steps of an int8 output by which NPU and simulator may differ."""
_ALGORITHMS = {"minmax": "normal", "mse": "mmse"}
_HINT = "the step's log has all that rknn-toolkit2 printed; try another recipe"


def compile_for(job: CompileInput, platform: str, out: Path) -> CompiledModel:
    """Compile for a SoC; see `RKNN.compile`."""
    with given_to_worker(job, platform) as (arguments, files):
        answer = job.worker.run({**arguments, "task": "build"}, files, out, hint=_HINT)
    io = ends_of(job.float_model)
    operators = answer["operators"]
    on_npu = sum(one["target"] == "NPU" for one in operators)
    (out / FACTS).write_text(
        json.dumps({"io": io, "operators": len(operators)}, sort_keys=True, indent=1)
    )
    return CompiledModel(
        model=MODEL,
        operators={"accelerator": on_npu, "cpu": len(operators) - on_npu},
        tolerances=tuple(STEPS * spread / 255 for spread in answer["spreads"]) or None,
        figures={
            "accelerator_share": accelerator_share(on_npu, len(operators)),
            "npu_cycles_estimate": sum(one["cycles"] for one in operators),
        },
        facts={
            "cpu_operators": [
                {"operator": one["operator"], "name": one["name"]}
                for one in operators
                if one["target"] != "NPU"
            ]
        },
    )


@contextmanager
def given_to_worker(
    job: CompileInput, platform: str
) -> Iterator[tuple[dict[str, Any], dict[str, Path]]]:
    """Give the worker's arguments and files: the network as ONNX, and what calibrates it.

    Raises:
        CompileError: an operator has no form in ONNX, or the model is no .tflite.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        onnx = Path(scratch) / ONNX
        export_onnx(job.float_model, onnx, OPSET)
        files = {ONNX: onnx}
        quantized = job.recipe.quantize == "ptq-int8"
        arrays = job.calibration.arrays.values() if quantized and job.calibration else ()
        for place, array in enumerate(arrays):
            files[CALIBRATION.format(place)] = Path(scratch) / CALIBRATION.format(place)
            np.save(files[CALIBRATION.format(place)], array)
        algorithm = _ALGORITHMS[job.recipe.calibration.method] if quantized else ""
        yield {"platform": platform, "algorithm": algorithm, "inputs": len(arrays)}, files


def ends_of(float_model: Path) -> Mapping[str, list[dict[str, Any]]]:
    """Return inputs and outputs as an engine's `io` has them: those of the float network.

    Raises:
        CompileError: LiteRT cannot read it.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with native_quiet():
            interpreter = Interpreter(str(float_model))
    except (RuntimeError, ValueError) as error:
        raise CompileError(f"LiteRT cannot read {float_model}: {error}", hint=_HINT) from error
    sides = {
        "inputs": interpreter.get_input_details(),
        "outputs": interpreter.get_output_details(),
    }
    return {side: [_tensor(details) for details in found] for side, found in sides.items()}


def _tensor(details: Any) -> dict[str, Any]:
    shape = [int(size) for size in details["shape"]]
    return {
        "name": details["name"],
        "shape": shape,
        "dtype": "float32",
        "scale": 0,
        "zero_point": 0,
    }
