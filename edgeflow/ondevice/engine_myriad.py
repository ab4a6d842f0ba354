"""Runs a VPU graph on a Movidius stick. Needs numpy and openvino 2021.4 or 2022.3 with MYRIAD.

`engine_options`: ``model``, name of the graph's file; ``config``, what the plug-in is told;
``unit``, which of the host's sticks is meant: ``{"usb": "1.2"}``, the port that it hangs on, as in
OpenVINO's name of it, ``MYRIAD.1.2-ma2480``; ``reference``, name of an ONNX file that runs on the
CPU instead.

Beside the graph lies ``myriad.json``: ``platform``, ``stages``, how many the VPU runs, and
``inputs`` and ``outputs``, each a list of ``name`` and ``shape``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import time
from typing import Any

FACTS = "myriad.json"
SYSFS = "/sys/bus/usb/devices"
DEV = "/dev/bus/usb"
VENDOR = "03e7"
BOOTED, MYRIAD_2 = "f63b", "2150"
# A stick that another process left starts anew, which takes seconds.
WAIT_S = 5.0
PLUGIN = (
    "OpenVINO's plug-in MYRIAD (%s); openvino 2021.4 from PyPI has it on x86-64, and Intel's "
    "archives of 2021.4 and 2022.3 have it"
)
LIBUSB = (
    "libusb-1.0.so.0, which OpenVINO's plug-in MYRIAD links to; run `apt-get install libusb-1.0-0`"
)


class Engine:
    """One loaded graph; `infer` takes and gives arrays in the order and dtypes of `io`."""

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Load the graph onto a stick, or its reference onto the CPU."""
        with open(os.path.join(folder, FACTS)) as file:
            self._facts = json.load(file)
        reference = engine_options.get("reference")
        self._core = _core()
        self._stick = ""
        if reference:
            # Some CPUs have bfloat16, which OpenVINO would take for float32.
            settings = {"CPU_THREADS_NUM": "1", "ENFORCE_BF16": "NO"}
            network = self._core.read_network(model=os.path.join(folder, reference))
            self._network = self._core.load_network(network, "CPU", settings)
            return
        self._stick = find_stick(self._core, engine_options["unit"], self._facts["platform"])
        path = os.path.join(folder, engine_options["model"])
        try:
            self._network = self._core.import_network(path, self._stick, engine_options["config"])
        except RuntimeError as error:
            text = "%s does not take the graph (%s): %s"
            raise RuntimeError(text % (self._stick, last_line(error), state())) from error

    @staticmethod
    def version() -> str:
        """Return the engine's name and version."""
        from openvino.inference_engine import get_version

        return "openvino %s" % get_version().split("-")[0]

    def io(self) -> dict[str, Any]:
        """Return name, shape, dtype, scale (0: float) and zero point of inputs and outputs."""
        kind = {"dtype": "float32", "scale": 0.0, "zero_point": 0}
        sides = ("inputs", "outputs")
        return {side: [dict(one, **kind) for one in self._facts[side]] for side in sides}

    def operators(self) -> int:
        """Return how many stages the VPU runs."""
        return int(self._facts["stages"])

    def conditions(self) -> dict[str, Any]:
        """Return which stick it is."""
        if not self._stick:
            return {}
        name = self._core.get_metric(self._stick, "FULL_DEVICE_NAME")
        return {"accelerator": str(name), "stick": self._stick}

    def infer(self, *inputs: Any) -> list[Any]:
        """Run one sample; its arrays are shaped and typed like the inputs, with their batch."""
        names = [one["name"] for one in self._facts["inputs"]]
        found = self._network.infer(dict(zip(names, inputs)))
        return [found[one["name"]].copy() for one in self._facts["outputs"]]


def _core() -> Any:
    # The plug-in links to libusb; where its Python package is installed, no system needs it.
    spec = importlib.util.find_spec("libusb_package")
    if spec is not None and spec.origin is not None:
        path = os.path.join(os.path.dirname(spec.origin), "libusb-1.0.so")
        ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
    try:
        from openvino.inference_engine import IECore
    except ImportError as error:
        raise ImportError("openvino 2021.4 or 2022.3 (%s)" % error) from error
    return IECore()


def find_stick(core: Any, unit: dict[str, Any], platform: str) -> str:
    """Return OpenVINO's name of the stick that is meant, as soon as it is there.

    Raises:
        ImportError: the plug-in, or the library that it needs, is missing.
        RuntimeError: no such stick is free.
    """
    port = str(unit.get("usb", ""))
    start = time.monotonic()
    while True:
        names = _sticks(core)
        meant = [name for name in names if port in ("", name, name.partition("-")[0])]
        if meant:
            return "MYRIAD.%s" % meant[0] if port else "MYRIAD"
        if time.monotonic() - start > WAIT_S:
            break
        time.sleep(0.2)
    if names:
        text = "no stick at USB port %s; free are %s: correct `unit` of the device"
        raise RuntimeError(text % (port, ", ".join(names)))
    raise RuntimeError("no stick is free for a graph of %s: %s" % (platform, state()))


def _sticks(core: Any) -> list[str]:
    """Return the names of free sticks, such as 1.2-ma2480."""
    try:
        return [str(name) for name in core.get_metric("MYRIAD", "AVAILABLE_DEVICES")]
    except RuntimeError as error:
        said = str(error)
        if "libusb" in said:
            raise ImportError(LIBUSB) from error
        if "not registered" in said or "Failed to create plugin" in said:
            raise ImportError(PLUGIN % last_line(error)) from error
        raise


def state() -> str:
    """Return what the host's USB says of its sticks, and what to do."""
    products = dict(_products())
    if not products:
        return "no Movidius stick hangs on this host's USB; plug one in, `lsusb -d 03e7:` lists it"
    if BOOTED in products.values():
        return (
            "one is in use; end the process that has it, or wait until a stick whose process was "
            "killed starts anew"
        )
    if MYRIAD_2 in products.values():
        return "the stick is a Myriad 2, which no OpenVINO after 2020.3 can start"
    locked = [node for node in products if not os.access(node, os.R_OK | os.W_OK)]
    if locked:
        return (
            "this account may not open %s; let it by a udev rule: "
            'SUBSYSTEM=="usb", ATTRS{idVendor}=="03e7", MODE="0666"' % ", ".join(locked)
        )
    return "one is there, but does not start; unplug it and plug it in again"


def _products() -> list[tuple[str, str]]:
    """Return device node and product number of Movidius sticks, as the kernel knows them."""
    found = []
    for name in sorted(os.listdir(SYSFS)) if os.path.isdir(SYSFS) else []:
        if _read(name, "idVendor") == VENDOR:
            place = [_read(name, "busnum").zfill(3), _read(name, "devnum").zfill(3)]
            found.append((os.path.join(DEV, *place), _read(name, "idProduct")))
    return found


def _read(name: str, attribute: str) -> str:
    try:
        with open(os.path.join(SYSFS, name, attribute)) as file:
            return file.read().strip()
    except OSError:
        return ""


def last_line(error: Exception) -> str:
    """Return the last line of what OpenVINO says: those before are places in its source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
