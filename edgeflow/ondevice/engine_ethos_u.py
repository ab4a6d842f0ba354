"""Runs a .tflite that Vela compiled on an Arm Ethos-U NPU under Linux, as in NXP's i.MX 93.

Needs numpy, ai-edge-litert or tflite-runtime, and the NPU's delegate for it (of the board's Linux).
"""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

NPU = "ethos-u"


def _interpreter_module() -> Any:
    """Return LiteRT's interpreter module, or that of its predecessor on older boards."""
    try:
        from ai_edge_litert import interpreter
    except ModuleNotFoundError as missing:
        try:
            from tflite_runtime import interpreter
        except ModuleNotFoundError:
            raise missing from None  # its own name, not the predecessor's
    return interpreter


def _delegate(module: Any, library: str, device: str) -> Any:
    """Return the NPU's delegate; raises RuntimeError that tells a missing part from the others."""
    if not os.path.exists(library):
        text = (
            "the NPU's delegate %s is not on this device; install the board's package for it "
            "(tensorflow-lite-ethosu-delegate in NXP's Linux), or name the file by `delegate` of "
            "the target"
        )
        raise RuntimeError(text % library)
    if not os.path.exists(device):
        text = (
            "there is no NPU at %s; load its driver (`modprobe ethosu`), or name its node by "
            "`device` of the target"
        )
        raise RuntimeError(text % device)
    if not os.access(device, os.R_OK | os.W_OK):
        raise RuntimeError("this account may not use the NPU at %s; ask for its group" % device)
    try:
        ctypes.CDLL(library)  # which says why not; the interpreter leaves half a delegate behind
        return module.load_delegate(library, {"device_name": device})
    except (OSError, ValueError) as error:
        text = "the NPU's delegate %s cannot be loaded: %s; is it made for this interpreter, %s?"
        raise RuntimeError(text % (library, error, Engine.version())) from error


class Engine:
    """One loaded model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder`, with `delegate`, `device` and `threads`."""
        module = _interpreter_module()
        kept = _delegate(module, engine_options["delegate"], engine_options["device"])
        self._interpreter = module.Interpreter(
            model_path=os.path.join(folder, engine_options["model"]),
            num_threads=engine_options["threads"],
            experimental_delegates=[kept],
        )
        names = [entry["op_name"] for entry in self._interpreter._get_ops_details()]
        try:
            self._interpreter.allocate_tensors()
        except RuntimeError as error:
            text = "the NPU's delegate %s did not take the operators of the model: %s"
            raise RuntimeError(text % (engine_options["delegate"], error)) from error
        self._on_npu = names.count(NPU)
        self._on_cpu = len([name for name in names if name not in (NPU, "DELEGATE")])
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        # LSTM, RNN and SVDF operators go on from the state that the last sample left.
        self._remembers = any("LSTM" in n or "RNN" in n or n == "SVDF" for n in names)

    @staticmethod
    def version() -> str:
        """Return the interpreter's name and version."""
        for name in ("ai_edge_litert", "tflite_runtime"):
            try:
                module = __import__(name)
            except ImportError:
                continue
            return "%s %s" % (name.replace("_", "-"), getattr(module, "__version__", "unknown"))
        return "none on %s" % platform.machine()

    @staticmethod
    def _tensor(details: Any) -> dict[str, Any]:
        scale, zero_point = details["quantization"]
        return {
            "name": details["name"],
            "shape": [int(size) for size in details["shape"]],
            "dtype": details["dtype"].__name__,
            "scale": float(scale),
            "zero_point": int(zero_point),
        }

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": [self._tensor(details) for details in self._inputs],
            "outputs": [self._tensor(details) for details in self._outputs],
        }

    def operators(self) -> int:
        """Return how many operators the file has; each for the NPU stands for many."""
        return self._on_npu + self._on_cpu

    def conditions(self) -> dict[str, Any]:
        """Return how much of the file the NPU and the CPU run."""
        return {"npu_operators": self._on_npu, "cpu_operators": self._on_cpu}

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        if self._remembers:
            self._interpreter.reset_all_variables()
        for details, array in zip(self._inputs, inputs):
            self._interpreter.set_tensor(details["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(details["index"]) for details in self._outputs]
