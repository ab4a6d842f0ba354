"""Options of the target kind `fpga`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from edgeflow.targets.base import HostedOptions
from edgeflow.targets.fpga.parts import is_amd

_WIDTH = r"([1-9]|[1-5][0-9]|6[0-4])"
_ROUNDING = r"(TRN|TRN_ZERO|RND|RND_ZERO|RND_INF|RND_MIN_INF|RND_CONV)"
_OVERFLOW = r"(WRAP|SAT|SAT_ZERO|SAT_SYM)"
# With a sign: weights have one.
Precision = Annotated[
    str, Field(pattern=rf"^fixed<{_WIDTH},-?[0-9]{{1,2}}(,{_ROUNDING}(,{_OVERFLOW})?)?>$")
]
Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{2,63}$")]

_OF_OTHER_FLOW = {
    "rtl": ("backend", "io", "reuse_factor", "precision", "synthesize", "overlay"),
    "hls": ("latency_cutoff",),
}
"""Options that a flow does not read."""


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

    backend: Literal["Vitis", "Vivado", "Quartus", "Catapult"] = "Vitis"
    """`flow: hls`: the vendor's tool that the project is for. All four are emulated here."""
    io: Literal["parallel", "stream"] = "parallel"
    """`flow: hls`: how tensors move between layers: all elements at once, or pixel by pixel, as
    convolutions on larger images need it."""
    reuse_factor: Annotated[int, Field(ge=1, le=65536)] = 1
    """`flow: hls`: multiplications that share one multiplier: more take longer and fewer DSPs."""
    precision: Precision = "fixed<16,6>"
    """`flow: hls`: type of inputs and weights of a network that `hgq` did not quantize: width, and
    bits before the point. Sums are as wide as they need to be."""
    synthesize: bool = False
    """`flow: hls`: whether Vitis or Vivado synthesizes the project, here or on `compile_host`."""
    overlay: bool = False
    """`flow: hls`: whether the device is a board with PYNQ, whose overlay computes the network.
    `unit: {overlay: /path/on/the/board.bit}` of the device names it."""

    @model_validator(mode="after")
    def _fits_its_flow(self) -> Self:
        for name in _OF_OTHER_FLOW[self.flow]:
            if getattr(self, name) != type(self).model_fields[name].default:
                other = "hls" if self.flow == "rtl" else "rtl"
                raise ValueError(f"`{name}` is for `flow: {other}`: leave it out")
        if self.flow == "rtl" and self.compile_host is not None:
            raise ValueError("`flow: rtl` compiles here: leave out `compile_host`")
        return self

    @model_validator(mode="after")
    def _fits_its_tool(self) -> Self:
        if self.flow == "rtl":
            return self
        if self.backend == "Quartus" and is_amd(self.part):
            raise ValueError("`backend: Quartus` is for Intel's chips: set `part`, as to `Arria10`")
        if self.backend in ("Vitis", "Vivado") and not is_amd(self.part):
            raise ValueError(
                f"`backend: {self.backend}` is for AMD's chips, whose numbers begin with `xc`, "
                "`xa` or `xq`: set `part`, as to `xc7z020clg400-1`, or another `backend`"
            )
        if self.synthesize and self.backend not in ("Vitis", "Vivado"):
            raise ValueError("`synthesize` is for `flow: hls` with `backend: Vitis` or `Vivado`")
        if self.compile_host is not None and not self.synthesize:
            raise ValueError("a `compile_host` does but synthesize: set `synthesize: true`")
        return self
