"""What of the build machine's CPU shapes results, and how most of it is made not to.

oneDNN, in TensorFlow and in OpenVINO, writes its kernels for the newest instruction set it finds,
and each set adds in an order of its own. Held to an older one, training gives the same weights on
a CPU with AVX-512 or AMX as on one without. With one thread no kernel's order depends on the sizes
of the caches; without oneDNN (TF_ENABLE_ONEDNN_OPTS=0) Eigen's matrix product does.
"""

import os
import platform
from collections.abc import Collection, Mapping
from typing import Literal

from edgeflow.ondevice import facts

# Held to AVX2, TensorFlow 2.21 ends in a segmentation fault on the gradient of a 1x1 convolution
# with stride 2, which every residual network has; OpenVINO has no int8 kernels for plain AVX.
HELD = {
    "ONEDNN_MAX_CPU_ISA": "AVX",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "1",
}
HELD_OPENVINO = {**HELD, "ONEDNN_MAX_CPU_ISA": "AVX2"}
DROPPED = (
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
)
"""Variables of the user's that change what a kernel computes: other precision, another compiler."""

Extent = Literal["nothing", "held", "all"]
"""What of the CPU an output's last bits depend on: nothing, what is left when kernels are held, or
all that an engine may choose by."""


def hold_kernels(held: Mapping[str, str] = HELD) -> None:
    """Have oneDNN compute alike on all CPUs with AVX2. Works until its library is loaded."""
    os.environ.update(held)
    for name in DROPPED:
        os.environ.pop(name, None)


def reproducible(slice_: object) -> bool:
    """Return whether a step gives the same bytes each time, by its slice of the configuration.

    It does, unless it trains with `deterministic: false`, or tries a recipe that does.
    """
    if isinstance(slice_, Mapping):
        return slice_.get("deterministic") is not False and all(map(reproducible, slice_.values()))
    return True


def held_environment() -> dict[str, str]:
    """Return the environment for a program that is to compute as after `hold_kernels`."""
    return {**{key: value for key, value in os.environ.items() if key not in DROPPED}, **HELD}


def kind(extent: Extent) -> str:
    """Return what of the CPU an output may depend on, for the key that it is stored under.

    The vendor always counts: Eigen starts reciprocals of square roots from an instruction whose
    last bits AMD and Intel choose differently, and the converter folds normalization with it.
    Kernels for Arm cannot be held, so there all that they choose by is named.
    """
    machine = platform.machine()
    if extent == "nothing":
        return machine
    have = facts.instruction_sets()
    if extent == "held" and {"avx2", "fma"} <= set(have):
        have = ["avx2"]
    return " ".join([machine, *have, facts.vendor()])


def overflows(machine: str, instruction_sets: Collection[str]) -> bool:
    """Return whether a CPU's int8 kernels may cut sums off: x86-64 without VNNI or AMX."""
    safe = {"avx512_vnni", "avx_vnni", "amx_int8"}
    return machine in {"x86_64", "AMD64"} and not safe.intersection(instruction_sets)
