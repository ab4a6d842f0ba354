"""Runs a packed .tflite on a device. Needs numpy and ai-edge-litert."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any


class Engine:
    """One loaded model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Unpack `engine_options["model"]` of `folder` into memory, and load it."""
        from ai_edge_litert.interpreter import Interpreter

        with lzma.open(Path(folder, engine_options["model"])) as file:
            model = file.read()
        self._interpreter = Interpreter(model_content=model, num_threads=engine_options["threads"])
        self._interpreter.allocate_tensors()
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": [self._tensor(details) for details in self._inputs],
            "outputs": [self._tensor(details) for details in self._outputs],
        }

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

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample."""
        for details, array in zip(self._inputs, inputs):  # noqa: B905  # Python 3.7
            self._interpreter.set_tensor(details["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(details["index"]) for details in self._outputs]

    def operators(self) -> int:
        """Return how many operators the graph has."""
        return len(self._interpreter._get_ops_details())

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import ai_edge_litert

        return f"packed ai-edge-litert {ai_edge_litert.__version__}"
