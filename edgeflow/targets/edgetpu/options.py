"""Options of the target `edgetpu`."""

from typing import Annotated, Literal

from pydantic import Field

from edgeflow.targets.base import HostedOptions

TOLERANCE = 5e-2
"""Difference of a float output, as of a network that ends with DEQUANTIZE on the CPU."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"


class EdgeTPUOptions(HostedOptions):
    """Coral's Edge TPU: USB Accelerator, Dev Board, M.2 and PCIe cards."""

    kind: Literal["edgetpu"]
    min_runtime_version: Annotated[int, Field(ge=10, le=16)] = 14
    """Oldest Edge TPU runtime that must run the model; older ones take fewer operators."""
    compiler: Annotated[str, Field(pattern=rf"^{_NAME}$|^(/{_NAME})+$")] = "edgetpu_compiler"
    """The compiler: a name on PATH or an absolute path, of the compile host if there is one."""
    multiple_subgraphs: bool = False
    """Map what follows an operator that stays on the CPU as well (`-a` of the compiler)."""
    search_delegate: bool = False
    """Where the whole network does not compile, search for a part that does (version 16)."""
    segments: Annotated[int, Field(ge=1, le=16)] = 1
    """Parts of the network, each on an Edge TPU of its own; they work on several samples at a
    time."""
    timeout_s: Annotated[int, Field(ge=1, le=7200)] = 180
    """Longest time of one attempt of the compiler; other values than 180 need version 16."""
    tolerance_steps: Annotated[int, Field(ge=0, le=255)] = 8
    """Steps by which an output may differ from LiteRT's. The Edge TPU rounds otherwise."""
    library: Annotated[str, Field(pattern=rf"^{_NAME}$|^(/{_NAME})+$")] | None = None
    """libedgetpu on the device, by name or absolute path; `libedgetpu.so.1` by default, which
    Google's pycoral opens where it is installed."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads for the operators that stay on the CPU."""
