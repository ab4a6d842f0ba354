"""Options of the target kind `mcu`."""

from typing import Annotated, Literal

from pydantic import Field

from edgeflow.targets.base import TargetOptions
from edgeflow.targets.mcu.settings import Kernels, Profile


class McuOptions(TargetOptions):
    """A microcontroller: C code in integers, as firmware for a board."""

    kind: Literal["mcu"]
    board: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """Name of the board."""
    profile: Profile = "tflm"
    """Whose arithmetic the code equals, byte by byte. tflm: TensorFlow Lite Micro. litert-ref:
    LiteRT's reference kernels, which round once in dense layers."""
    kernels: Kernels = "portable"
    """portable: edgeflow's own kernels. cmsis-nn: Arm's for the layers that those take, from the
    extra `cmsis-nn`."""
