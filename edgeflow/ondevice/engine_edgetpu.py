"""Runs a compiled .tflite on Coral's Edge TPU.

Needs numpy, libedgetpu, and ai-edge-litert or tflite-runtime; Google's pycoral is used where it is.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import importlib
import json
import os
import platform
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

LIBRARY = "libedgetpu.so.1"
KINDS = ("pci", "usb")  # in the order of `edgetpu_device_type` of edgetpu_c.h
ANY = ""
CUSTOM, DELEGATE = "edgetpu-custom-op", "DELEGATE"
IN_FLIGHT = 4
"""Samples for each stage of a pipeline that may be on their way: more only take memory."""
PLUGGED = (
    "is it plugged in, and may this account use it (for a USB stick: group plugdev, and the udev "
    "rules of Coral's package)?"
)

MISFIT = (
    "the Edge TPU's runtime does not take the model (%s); it must be as new as the target's "
    "`min_runtime_version`, and fit the interpreter that it was built for"
)


class Engine:
    """One loaded model, or its segments on as many Edge TPUs, each of which feeds the next."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load `engine_options["model"]` from `folder`, with `library` and `threads`.

        A model that is a .json file lists the segments of a pipeline. `devices_of` reads `unit`.
        """
        files, self._names = _segments(folder, engine_options["model"])
        wanted = devices_of(engine_options["unit"], len(files))
        self._tpu = _Tpu(engine_options["library"])
        devices = self._tpu.numbered(wanted)
        threads = engine_options["threads"]
        pairs = zip(files, devices)
        self._stages = [_Stage(self._tpu.load(path, name, threads), name) for path, name in pairs]
        self._samples, self._seconds = 0, 0.0

    def version(self) -> str:
        """Return the names and versions of the interpreter and of the Edge TPU's runtime."""
        return self._tpu.version()

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        details = [one for stage in self._stages for one in (*stage.inputs, *stage.outputs)]
        known = {one["name"]: one for one in details}
        if self._names is None:
            sides = {"inputs": self._stages[0].inputs, "outputs": self._stages[0].outputs}
        else:
            sides = {side: [known[name] for name in self._names[side]] for side in self._names}
        return {side: [_tensor(one) for one in sides[side]] for side in ("inputs", "outputs")}

    def operators(self) -> int:
        """Return how many operators the file has; what was mapped is one of them, or a few."""
        return sum(len(stage.operators) for stage in self._stages)

    def conditions(self) -> dict[str, Any]:
        """Return which Edge TPUs the model runs on, and what they took of its graph."""
        on_cpu = [name for stage in self._stages for name in stage.operators if name != CUSTOM]
        return {
            "edge_tpus": [stage.device or "any" for stage in self._stages],
            "delegated_nodes": sum(stage.delegated for stage in self._stages),
            "cpu_operators": len(on_cpu),
        }

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        if self._names is None:
            return self._stages[0].run(inputs)
        tensors = dict(zip(self._names["inputs"], inputs))
        for stage in self._stages:
            tensors = stage.follow(tensors)
        return [tensors[name] for name in self._names["outputs"]]

    def infer_many(self, *inputs: Any) -> list[Any]:
        """Run any number of samples; the segments of a pipeline work on several at a time."""
        count = len(inputs[0])
        samples = ([array[row : row + 1] for array in inputs] for row in range(count))
        if self._names is None:
            every = [self.infer(*sample) for sample in samples]
        else:
            start = time.perf_counter()
            every = list(self._pipeline(samples, self._names))
            self._samples += count
            self._seconds += time.perf_counter() - start
        return [np.concatenate(rows) for rows in zip(*every)]

    def figures(self) -> dict[str, float]:
        """Return how many samples a pipeline takes in a second, while it has any number of them."""
        return {"throughput_per_s": self._samples / self._seconds} if self._samples else {}

    def _pipeline(self, samples: Any, names: dict[str, list[str]]) -> Any:
        """Yield the outputs of samples, in their order; each stage has a thread of its own."""
        under_way: Any = collections.deque()
        with contextlib.ExitStack() as stack:
            threads = [stack.enter_context(ThreadPoolExecutor(max_workers=1)) for _ in self._stages]
            for sample in samples:
                under_way.append(self._submit(threads, dict(zip(names["inputs"], sample))))
                if len(under_way) > IN_FLIGHT * len(threads):
                    tensors = under_way.popleft().result()
                    yield [tensors[name] for name in names["outputs"]]
            for future in under_way:
                yield [future.result()[name] for name in names["outputs"]]

    def _submit(self, threads: list[ThreadPoolExecutor], tensors: dict[str, Any]) -> Any:
        """Send a sample through all stages: each waits for the one before, in its own thread."""
        before: Future[Any] = Future()
        before.set_result(tensors)
        for thread, stage in zip(threads, self._stages):
            before = thread.submit(_after, before, stage)
        return before


def _after(before: Future[Any], stage: _Stage) -> Any:
    return stage.follow(before.result())


class _Stage:
    """A loaded .tflite on one Edge TPU."""

    def __init__(self, interpreter: Any, device: str) -> None:
        self.device = device
        self._interpreter = interpreter
        self.inputs = interpreter.get_input_details()
        self.outputs = interpreter.get_output_details()
        names = [entry["op_name"] for entry in interpreter._get_ops_details()]
        self.operators = [name for name in names if name != DELEGATE]
        self.delegated = len(names) - len(self.operators)
        # LSTM, RNN and SVDF operators go on from the state that the last sample left.
        self._remembers = any("LSTM" in n or "RNN" in n or n == "SVDF" for n in names)

    def run(self, inputs: Any) -> list[Any]:
        """Run arrays in the order of the file's inputs."""
        if self._remembers:
            self._interpreter.reset_all_variables()
        for details, array in zip(self.inputs, inputs):
            self._interpreter.set_tensor(details["index"], array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(details["index"]) for details in self.outputs]

    def follow(self, tensors: dict[str, Any]) -> dict[str, Any]:
        """Run arrays by name, and return them with those that the stage makes."""
        made = self.run([tensors[details["name"]] for details in self.inputs])
        names = [details["name"] for details in self.outputs]
        return {**tensors, **dict(zip(names, made))}


class _Device(ctypes.Structure):
    """`edgetpu_device` of edgetpu_c.h."""

    _fields_ = (("kind", ctypes.c_int), ("path", ctypes.c_char_p))


class _Tpu:
    """The library of the Edge TPU, by itself or through Google's pycoral."""

    def __init__(self, library: str | None) -> None:
        """Open it; the interpreter would name no reason where that fails."""
        self._name = library or LIBRARY
        self._coral = None if library else google_pycoral()
        try:
            self._library = ctypes.CDLL(self._name)
        except OSError as error:
            text = (
                "the Edge TPU's library %s (%s); install Coral's package libedgetpu1-std there, "
                "or name the file by `library` of the target"
            )
            raise ImportError(text % (self._name, error)) from error

    def version(self) -> str:
        """Return names and versions of the interpreter and of the runtime, as far as they tell."""
        interpreters = ["ai_edge_litert", "tflite_runtime"]
        if self._coral:  # which has the second for its own
            interpreters.reverse()
        return "%s, %s" % (_interpreter_version(interpreters), self._runtime_version())

    def _runtime_version(self) -> str:
        try:
            tell = self._library.edgetpu_version
        except AttributeError:  # another library with the same delegate
            return self._name
        tell.restype = ctypes.c_char_p
        said = (tell() or b"").decode("ascii", "replace")
        found = re.search(r"RuntimeVersion\((\w+)\)", said)
        return "Edge TPU runtime %s" % (found.group(1) if found else said or "unknown")

    def devices(self) -> list[tuple[str, str]] | None:
        """Return kind and path of each Edge TPU here; None where the library does not tell."""
        try:
            enumerate_, free = (
                self._library.edgetpu_list_devices,
                self._library.edgetpu_free_devices,
            )
        except AttributeError:
            return None
        enumerate_.restype = ctypes.POINTER(_Device)
        free.argtypes, free.restype = [ctypes.POINTER(_Device)], None
        count = ctypes.c_size_t()
        listed = enumerate_(ctypes.byref(count))
        found = [listed[place] for place in range(count.value)]
        kept = [(KINDS[one.kind], (one.path or b"").decode("utf-8", "replace")) for one in found]
        if listed:
            free(listed)
        return kept

    def numbered(self, wanted: list[str]) -> list[str]:
        """Return Edge TPUs by number, as the delegate takes them, and refuse what is not there.

        The delegate alone would name no reason.
        """
        found = self.devices()
        return wanted if found is None else [self._numbered(name, found) for name in wanted]

    @staticmethod
    def _numbered(name: str, found: list[tuple[str, str]]) -> str:
        kind, _, place = name.partition(":")
        ports = [os.path.basename(path) for one, path in found if kind in (ANY, one)]
        if place in ports:
            return "%s:%d" % (kind, ports.index(place))
        number = place or "0"
        if number.isdigit() and int(number) < len(ports):
            return name
        here = ", ".join("%s at %s" % one for one in found) or "none"
        text = "no Edge TPU %sat this host, which has %s; %s"
        raise RuntimeError(text % (name and "`%s` " % name, here, PLUGGED))

    def load(self, path: str, device: str, threads: int) -> Any:
        """Return an interpreter of a file, ready to run, whose delegate is an Edge TPU."""
        module = interpreter_module()
        choice = {"device": device} if device else {}
        try:
            if self._coral:
                delegate = self._coral.load_edgetpu_delegate(choice)
            else:
                delegate = module.load_delegate(self._name, choice)
        except ValueError as error:
            text = "the Edge TPU %sdoes not start (%s); does another process use it? else %s"
            reason = " ".join(str(error).split())
            raise RuntimeError(text % (device and device + " ", reason, PLUGGED)) from error
        try:
            interpreter = self._interpreter(module, delegate, path, threads)
            interpreter.allocate_tensors()
        except RuntimeError as error:
            raise RuntimeError(MISFIT % " ".join(str(error).split())) from error
        return interpreter

    def _interpreter(self, module: Any, delegate: Any, path: str, threads: int) -> Any:
        if self._coral:
            return self._coral.make_interpreter(path, delegate=delegate)
        return module.Interpreter(
            model_path=path,
            num_threads=threads,
            experimental_delegates=[delegate],
            # Without XNNPACK, whose nodes would be taken for the Edge TPU's.
            experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )


def devices_of(unit: dict[str, Any], count: int) -> list[str]:
    """Return what `unit` names, as many Edge TPUs as there are segments, such as ``usb:0``.

    Args:
        unit: ``{"usb": 1}`` or ``{"pci": 0}``, the number of the first, those after it follow; or
            ports, as ``{"usb": "2-1, 2-2"}``, one for each segment; ``{}`` for any.
        count: of segments.
    """
    if len(unit) > 1 or not set(unit) <= set(KINDS):
        raise ValueError("`unit` of an Edge TPU is {usb: ...} or {pci: ...}, not %s" % unit)
    kind, said = next(iter(unit.items()), (ANY, 0))
    places = [place.strip() for place in str(said).split(",")]
    if not all(re.match(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9]+)*$", place) for place in places):
        raise ValueError("an Edge TPU is named by a number from 0 or a port, not %r" % (said,))
    if not unit and count == 1:
        return [ANY]
    if len(places) == 1 and places[0].isdigit():
        places = [str(int(places[0]) + place) for place in range(count)]
    if len(places) != count:
        text = "`unit` names %d Edge TPUs, and the model has %d segments"
        raise ValueError(text % (len(places), count))
    return ["%s:%s" % (kind, place) for place in places]


def google_pycoral() -> Any:
    """Return Google's `pycoral.utils.edgetpu`; the pycoral of PyPI is unrelated and has none."""
    try:
        return importlib.import_module("pycoral.utils.edgetpu")
    except ImportError:
        return None


def interpreter_module() -> Any:
    """Return LiteRT's interpreter module, or that of its predecessor."""
    try:
        from ai_edge_litert import interpreter
    except ModuleNotFoundError as missing:
        try:
            from tflite_runtime import interpreter
        except ModuleNotFoundError:
            raise missing from None  # its own name, not the predecessor's
    return interpreter


def _interpreter_version(modules: list[str]) -> str:
    """Return name and version of the first of these modules that there is."""
    for name in modules:
        with contextlib.suppress(ImportError):
            module = importlib.import_module(name)
            return "%s %s" % (name.replace("_", "-"), getattr(module, "__version__", "unknown"))
    return "none on %s" % platform.machine()


def _segments(folder: str, model: str) -> tuple[list[str], dict[str, list[str]] | None]:
    """Return the files of a model; of a pipeline also the names of the network's ends."""
    path = os.path.join(folder, model)
    if not model.endswith(".json"):
        return [path], None
    with open(path) as file:
        pipeline = json.load(file)
    files = [os.path.join(folder, name) for name in pipeline["segments"]]
    return files, {side: pipeline[side] for side in ("inputs", "outputs")}


def _tensor(details: Any) -> dict[str, Any]:
    scale, zero_point = details["quantization"]
    return {
        "name": details["name"],
        "shape": [int(size) for size in details["shape"]],
        "dtype": details["dtype"].__name__,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }
