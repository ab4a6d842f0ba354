"""Runs OpenVINO IR on a device. Needs numpy and openvino."""

from __future__ import annotations

import json
import os
import re
from typing import Any

QUANTIZATION = "quantization.json"
FLOAT = {"scale": 0.0, "zero_point": 0}


class Engine:
    """One compiled model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Compile `engine_options["model"]` from `folder` for `device`, with `threads`.

        A model with integers at its ends has their scales in a file beside it: OpenVINO's
        format knows none.
        """
        import openvino

        self._quantization = None
        beside = os.path.join(folder, QUANTIZATION)
        if os.path.exists(beside):
            with open(beside) as file:
                self._quantization = json.load(file)

        core = openvino.Core()
        self._path = os.path.join(folder, engine_options["model"])
        model = core.read_model(self._path)
        settings = {"PERFORMANCE_HINT": "LATENCY"}
        if engine_options["device"] == "CPU":
            settings["INFERENCE_NUM_THREADS"] = engine_options["threads"]
            # The plug-in may choose bfloat16 by itself, and then no two CPUs agree.
            settings["INFERENCE_PRECISION_HINT"] = "f32"
            if any(node.get_type_name() == "FakeQuantize" for node in model.get_ops()):
                # OpenVINO 2026.4 fuses int8 dense layers, and where a negative input comes in on
                # a CPU with VNNI, what they give is noise.
                settings["SNIPPETS_MODE"] = "DISABLE"
        self._nodes = {node.get_friendly_name() for node in model.get_ops()}
        self._device, self._settings = engine_options["device"], settings
        self._compiled = core.compile_model(model, self._device, settings)
        self._request = self._compiled.create_infer_request()

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        import openvino

        return "openvino %s" % openvino.__version__.split("-")[0]

    def _tensors(self, ports: Any, side: str) -> list[dict[str, Any]]:
        scales = self._quantization[side] if self._quantization else [FLOAT] * len(ports)
        return [
            {
                "name": sorted(port.get_names() or {port.get_node().get_friendly_name()})[0],
                "shape": [int(size) for size in port.get_shape()],
                "dtype": port.get_element_type().to_dtype().name,
                "scale": scale["scale"],
                "zero_point": scale["zero_point"],
            }
            for port, scale in zip(ports, scales)  # noqa: B905  # Python 3.7
        ]

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        return {
            "inputs": self._tensors(self._compiled.inputs, "inputs"),
            "outputs": self._tensors(self._compiled.outputs, "outputs"),
        }

    def operators(self) -> int:
        """Return how many operators the compiled graph runs."""
        return len(self._compiled.get_runtime_model().get_ops())

    def _name(self, node: str) -> str:
        """Return a node's name, without the number, of no meaning, of one that is in no file."""
        return node if node in self._nodes else re.sub(r"_\d+$", "", node)

    def profile(self, *inputs: Any) -> list[dict[str, Any]]:
        """Run samples and return the mean time of each node of the compiled graph that ran.

        The model is compiled once more for it, because counters cost time. The first sample runs
        once before, uncounted: with it the plug-in prepares weights.
        """
        import openvino

        settings = dict(self._settings, PERF_COUNT=True)
        compiled = openvino.Core().compile_model(self._path, self._device, settings)
        request, count = compiled.create_infer_request(), len(inputs[0])
        request.infer({place: array[:1] for place, array in enumerate(inputs)})
        first_us = _times_us(request)
        totals_us = dict.fromkeys(first_us, 0.0)
        for row in range(count):
            request.infer({place: array[row : row + 1] for place, array in enumerate(inputs)})
            for name, time_us in _times_us(request).items():
                totals_us[name] = totals_us.get(name, 0.0) + time_us
        if "CPU" in compiled.get_property("EXECUTION_DEVICES"):
            # Its counters are means over all inferences so far; those of others of the last one.
            last_us = _times_us(request)
            totals_us = {
                name: (count + 1) * time_us - first_us.get(name, 0.0)
                for name, time_us in last_us.items()
            }
        return [
            {
                "name": self._name(node.node_name),
                "type": node.node_type,
                "kernel": node.exec_type,
                "time_us": max(0.0, totals_us[node.node_name]) / count,
            }
            for node in _executed(request)
        ]

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        found = self._request.infer(dict(enumerate(inputs)))
        return [found[place].copy() for place in range(len(self._compiled.outputs))]


def _executed(request: Any) -> list[Any]:
    """Return what the runtime counted of each node that ran, in their order."""
    import openvino

    ran = openvino.ProfilingInfo.Status.EXECUTED
    return [node for node in request.get_profiling_info() if node.status == ran]


def _times_us(request: Any) -> dict[str, float]:
    return {node.node_name: node.real_time.total_seconds() * 1e6 for node in _executed(request)}
