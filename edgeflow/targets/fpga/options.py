"""Options of the target kind `fpga`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgeflow.targets.base import HostedOptions

Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,63}$")]


class FPGAOptions(HostedOptions):
    """FPGAs: the network as hardware description, simulated bit for bit on the device's host."""

    kind: Literal["fpga"]
    flow: Literal["rtl", "hls"] = "rtl"
    """rtl: da4ml makes Verilog of a network that `quantize: hgq` trained, all of it unrolled.
    hls: hls4ml makes a C++ project for a vendor's high-level synthesis."""
    part: Part = "xc7z020clg400-1"
    """The chip by its vendor's part number."""
    clock_ns: Annotated[float, Field(gt=0, le=1000)] = 5.0
    """Period of the clock, in nanoseconds."""
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    """Architecture of the device's host, which runs the simulation, as `uname -m` says it."""
    latency_cutoff: Annotated[float, Field(ge=1, le=1000)] = 4.0
    """`flow: rtl`: how long a path between two registers may be, in levels of adders: fewer allow
    a faster clock and take more cycles."""

    @model_validator(mode="after")
    def _has_no_host(self) -> Self:
        if self.flow == "rtl" and self.compile_host is not None:
            raise ValueError("`flow: rtl` compiles here: leave out `compile_host`")
        return self
