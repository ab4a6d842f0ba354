"""Runs a .tflite file with LiteRT on a device. Needs numpy and ai-edge-litert."""

from __future__ import annotations

import os
import platform
from typing import Any


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


class Engine:
    """One loaded model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder`, with `threads` and `xnnpack`."""
        module = _interpreter_module()
        kinds = module.OpResolverType
        kind = (
            kinds.BUILTIN if engine_options["xnnpack"] else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        self._interpreter = module.Interpreter(
            model_path=os.path.join(folder, engine_options["model"]),
            num_threads=engine_options["threads"],
            experimental_op_resolver_type=kind,
        )
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        names = [entry["op_name"] for entry in self._interpreter._get_ops_details()]
        # LSTM, RNN and SVDF operators go on from the state that the last sample left.
        self._remembers = any("LSTM" in n or "RNN" in n or n == "SVDF" for n in names)

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
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
        """Return how many operators the graph has."""
        return len(self._interpreter._get_ops_details())

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        if self._remembers:
            self._interpreter.reset_all_variables()
        for details, array in zip(self._inputs, inputs):
            self._interpreter.set_tensor(details["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(details["index"]) for details in self._outputs]
