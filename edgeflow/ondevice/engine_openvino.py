"""Runs OpenVINO IR on a device. Needs numpy and openvino."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import itertools
import json
import os
import time
from typing import Any

QUANTIZATION = "quantization.json"
FLOAT = {"scale": 0.0, "zero_point": 0}
KEPT_SAMPLES = 64
THROUGHPUT_S = 1.0


class Engine:
    """One compiled model; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Compile `engine_options["model"]` from `folder` for `device`.

        The other options are `threads` of the CPU, `performance_hint`, `streams` and `model_cache`.
        A model with integers at its ends has their scales in a file beside it: OpenVINO's format
        knows none.

        Raises:
            OSError: with ENODEV where this machine has no such device.
        """
        import openvino

        self._quantization = None
        beside = os.path.join(folder, QUANTIZATION)
        if os.path.exists(beside):
            with open(beside) as file:
                self._quantization = json.load(file)

        core = openvino.Core()
        self._path = os.path.join(folder, engine_options["model"])
        self._device = engine_options["device"]
        with open(self._path, "rb") as file:
            quantized = b'type="FakeQuantize"' in file.read()
        self._settings = _settings(engine_options, quantized)
        self._cached: bool | None = None
        if engine_options["model_cache"]:
            blob = _Blob(
                core, self._path, self._device, self._settings, engine_options.get("cache")
            )
            self._compiled, self._cached = blob.load()
        else:
            self._compiled = _compiled(core, self._path, self._device, self._settings)
        self._request = self._compiled.create_infer_request()
        self._streams = engine_options["performance_hint"] == "throughput"
        self._queue: Any = None
        self._kept: list[Any] = []

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
            for port, scale in zip(ports, scales)
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

    def profile(self, *inputs: Any) -> list[dict[str, Any]]:
        """Run samples and return the mean time of each node of the compiled graph that ran.

        The model is compiled once more for it, because counters cost time. The first sample runs
        once before, uncounted: with it the plug-in prepares weights.
        """
        import openvino

        model = openvino.Core().read_model(self._path)
        nodes = {node.get_friendly_name() for node in model.get_ops()}
        settings = dict(self._settings, PERF_COUNT=True)
        compiled = openvino.Core().compile_model(model, self._device, settings)
        request, count = compiled.create_infer_request(), len(inputs[0])
        request.infer(_sample(inputs, 0))
        first_us = _times_us(request)
        totals_us = dict.fromkeys(first_us, 0.0)
        for row in range(count):
            request.infer(_sample(inputs, row))
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
                # What OpenVINO put in itself has names that differ in each process.
                "name": node.node_name if node.node_name in nodes else node.node_type,
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

    def infer_many(self, *inputs: Any) -> list[Any]:
        """Run samples, as many at a time as the plug-in has streams for."""
        import numpy as np

        answers: dict[int, list[Any]] = {}
        places = range(len(self._compiled.outputs))

        def keep(request: Any, row: int) -> None:
            answers[row] = [request.get_output_tensor(place).data.copy() for place in places]

        queue = self._requests()
        queue.set_callback(keep)
        for row in range(len(inputs[0])):
            queue.start_async(_sample(inputs, row), row)
        queue.wait_all()
        self._kept = [array[:KEPT_SAMPLES] for array in inputs]
        rows = [answers[row] for row in range(len(inputs[0]))]
        return [np.concatenate([row[place] for row in rows]) for place in places]

    def _requests(self) -> Any:
        import openvino

        if self._queue is None:
            self._queue = openvino.AsyncInferQueue(self._compiled)
        return self._queue

    def figures(self) -> dict[str, float]:
        """Return the throughput with all streams at work, over samples that ran before."""
        if not self._streams or not self._kept:
            return {}
        queue, done = self._requests(), 0
        queue.set_callback(lambda *_: None)
        start_s = time.perf_counter()
        for row in itertools.cycle(range(len(self._kept[0]))):
            queue.start_async(_sample(self._kept, row), row)
            done += 1
            if time.perf_counter() - start_s > THROUGHPUT_S:
                break
        queue.wait_all()
        return {"throughput_per_s": done / (time.perf_counter() - start_s)}

    def conditions(self) -> dict[str, Any]:
        """Return the devices that run the model, and how many inferences they run at a time."""
        import openvino

        # AUTO puts a device that only stands in for another into parentheses.
        names = [name.strip("()") for name in self._compiled.get_property("EXECUTION_DEVICES")]
        said: dict[str, Any] = {"execution_devices": names}
        if self._streams:
            count = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            said["parallel_inferences"] = int(count)
        if self._cached is not None:
            said["loaded_from_cache"] = self._cached
        if "CPU" not in names:
            core = openvino.Core()
            said["cpu"] = ", ".join(_title(core, name) for name in names)
        return said


def _settings(options: dict[str, Any], quantized: bool) -> dict[str, Any]:
    """Return the plug-in's properties for the engine's options."""
    # The plug-in may choose bfloat16 by itself, and then no two CPUs agree.
    cpu = {"INFERENCE_NUM_THREADS": options["threads"], "INFERENCE_PRECISION_HINT": "f32"}
    if quantized:
        # OpenVINO 2026.4 fuses int8 dense layers, and where a negative input comes in on a CPU
        # with VNNI, what they give is noise.
        cpu["SNIPPETS_MODE"] = "DISABLE"
    settings: dict[str, Any] = {"PERFORMANCE_HINT": options["performance_hint"].upper()}
    if options["streams"]:
        settings["NUM_STREAMS"] = options["streams"]
    if options["device"] == "CPU":
        settings.update(cpu)
    elif options["device"] == "AUTO":
        settings["DEVICE_PROPERTIES"] = {"CPU": cpu}
        # One device runs all inferences: none stands in while it loads, or after it failed.
        settings["ENABLE_STARTUP_FALLBACK"] = settings["ENABLE_RUNTIME_FALLBACK"] = False
    return settings


def _title(core: Any, device: str) -> str:
    """Return the name of the hardware behind a device; the device's where that is not told."""
    try:
        return str(core.get_property(device, "FULL_DEVICE_NAME"))
    except RuntimeError:
        return device


class _Blob:
    """A compiled model that the plug-in has written, so that the next process need not compile.

    Its name follows from OpenVINO's version, the hardware and the settings, and it is held against
    its digest.
    """

    def __init__(
        self, core: Any, path: str, device: str, settings: dict[str, Any], folder: str | None
    ) -> None:
        self._core, self._path, self._device, self._settings = core, path, device, settings
        made_by = [Engine.version(), _title(core, device), settings]
        key = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()
        self._file = os.path.join(folder, key[:16] + ".blob") if folder else None

    def load(self) -> tuple[Any, bool]:
        """Return the compiled model and whether it is the blob; write that if it is not."""
        try:
            return self._core.import_model(self._read(), self._device, self._settings), True
        except (OSError, RuntimeError):  # there is none, it is damaged, or of another OpenVINO
            compiled = _compiled(self._core, self._path, self._device, self._settings)
        # There may be no such place, no space, or no form to export: it is compiled each time.
        with contextlib.suppress(OSError, RuntimeError):
            self._write(compiled.export_model().getvalue())
        return compiled, False

    def _read(self) -> bytes:
        if self._file is None:
            raise FileNotFoundError
        with open(self._file, "rb") as file:
            digest, blob = file.readline().strip(), file.read()
        if hashlib.sha256(blob).hexdigest().encode() != digest:
            raise OSError(errno.EIO, "the blob is damaged")
        return blob

    def _write(self, blob: bytes) -> None:
        if self._file is None:
            return
        folder = os.path.dirname(self._file)
        os.makedirs(folder, exist_ok=True)
        for name in os.listdir(folder):  # of another OpenVINO, or of a process that was killed
            os.unlink(os.path.join(folder, name))
        part = self._file + ".part"
        with open(part, "wb") as file:
            file.write(hashlib.sha256(blob).hexdigest().encode() + b"\n" + blob)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self._file)


def _compiled(core: Any, path: str, device: str, settings: dict[str, Any]) -> Any:
    """Return the model, compiled; of a device that is not there, what OpenVINO has instead."""
    try:
        return core.compile_model(path, device, settings)
    except RuntimeError as error:
        found = list(core.available_devices)
        if device == "AUTO" or any(name.split(".")[0] == device for name in found):
            raise
        lines = [line.strip() for line in str(error).splitlines()]
        told = [line for line in lines if line and not line.startswith("Exception from")]
        reason = (told or ["no reason"])[0].split(" Error: Exception from")[0]
        raise OSError(
            errno.ENODEV,
            "OpenVINO finds no device %s, only %s: the hardware, its driver or its plug-in is "
            "missing (%s)" % (device, ", ".join(found), reason[-200:]),
        ) from error


def _sample(inputs: Any, row: int) -> dict[int, Any]:
    return {place: array[row : row + 1] for place, array in enumerate(inputs)}


def _executed(request: Any) -> list[Any]:
    """Return what the runtime counted of each node that ran, in their order."""
    import openvino

    ran = openvino.ProfilingInfo.Status.EXECUTED
    return [node for node in request.get_profiling_info() if node.status == ran]


def _times_us(request: Any) -> dict[str, float]:
    return {node.node_name: node.real_time.total_seconds() * 1e6 for node in _executed(request)}
