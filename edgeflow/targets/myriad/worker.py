"""Compiles ONNX into a VPU graph with OpenVINO 2021.4, in its own Python and with no stick.

OpenVINO compiles a network when it is loaded onto a device. Told the platform, it compiles without
one, and only the request to infer that follows finds no device. What it compiled is in its model
cache by then: a line of XML, then the graph that its `compile_tool` would have written.
"""

import ctypes
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PLATFORMS = {"myriad-2": "VPU_MYRIAD_2450", "myriad-x": "VPU_MYRIAD_2480"}
BLOB = "model.blob"
_NO_DEVICE = "there is no available devices with platform"
_SOURCE = re.compile(r"^\S+\.[ch]pp:\d+ |^\[ \w+ \]\s*|^AssertionFailed: ")


class Refused(Exception):
    """OpenVINO cannot read or compile the network."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write model.blob from model.onnx.

    Args:
        job: ``platform``; ``config``, what the plug-in is told beside it; ``inputs`` and
            ``outputs``, names of the network's.
        folder: holds model.onnx, gets model.blob.

    Returns:
        OpenVINO's names of the ``inputs`` and ``outputs``.
    """
    _load_libusb()
    from openvino.inference_engine import IECore

    cache = folder / "cache"
    core = IECore()
    core.set_config({"CACHE_DIR": str(cache)}, "")
    try:
        network = core.read_network(model=str(folder / "model.onnx"))
        ends = {
            side: [network.get_ov_name_for_tensor(name) for name in job[side]]
            for side in ("inputs", "outputs")
        }
    except RuntimeError as error:
        text = f"OpenVINO cannot read the network: {_reason(error)}"
        raise Refused(text, "use other operators, or another target for this model") from error
    said = _compile(core, network, job)
    blobs = sorted(cache.glob("*.blob"))
    if _NO_DEVICE not in str(said) or len(blobs) != 1:
        text = f"the VPU's compiler: {_reason(said)}"
        raise Refused(text, "use other layers, or another target for this model")
    _, _, graph = blobs[0].read_bytes().partition(b"\n")
    (folder / BLOB).write_bytes(graph)
    shutil.rmtree(str(cache))
    return ends


def _load_libusb() -> None:
    """Load the library that the plug-in links to from its package: no system has to have it."""
    spec = find_spec("libusb_package")
    if spec is not None and spec.origin is not None:
        ctypes.CDLL(str(Path(spec.origin).with_name("libusb-1.0.so")), mode=ctypes.RTLD_GLOBAL)


def _compile(core: Any, network: Any, job: dict[str, Any]) -> Any:
    """Compile the network into the cache; return how it ended."""
    try:
        core.load_network(network, "MYRIAD", _config(job))
    except RuntimeError as error:
        return error
    return "a stick took the network"


def _config(job: dict[str, Any]) -> dict[str, str]:
    # The plug-in gives up a device at once where it cannot set how long it would wait for one:
    # the compiler neither waits for a stick nor uses one that is there.
    no_stick = {"MYRIAD_DEVICE_CONNECT_TIMEOUT": "-1"}
    return {"VPU_MYRIAD_PLATFORM": PLATFORMS[job["platform"]], **no_stick, **job["config"]}


def _reason(error: Any) -> str:
    """Return what OpenVINO said, without the place in its source."""
    lines = [_SOURCE.sub("", line.strip()) for line in str(error).splitlines()]
    return " ".join(line for line in lines if line)[:500]
