"""What the generated code is to be like, apart from the network."""

from dataclasses import dataclass
from typing import Literal

Profile = Literal["tflm", "litert-ref"]
Mode = Literal["compact", "specialized", "unrolled"]
Kernels = Literal["portable", "cmsis-nn"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Settings of the generator.

    Attributes:
        profile: whose arithmetic the code equals byte by byte: ``tflm``, TensorFlow Lite Micro's,
            or ``litert-ref``, that of LiteRT's reference kernels, which round once in dense layers.
        mode: ``compact`` shares each kernel among the layers that need it; ``specialized`` lets
            the compiler build a kernel for each layer, with its sizes as constants; ``unrolled``
            writes the weights of small dense layers into the code.
        simd: whether kernels may use the DSP extension of Arm cores, two products at once.
        kernels: ``portable``, ours, or ``cmsis-nn``, Arm's, for layers that those take.
        name: prefix of the public names, a lower-case C identifier.
    """

    profile: Profile = "tflm"
    mode: Mode = "specialized"
    simd: bool = False
    kernels: Kernels = "portable"
    name: str = "model"
