"""What of the build machine's CPU shapes results, and how most of it is made not to.

oneDNN, in TensorFlow and in OpenVINO, writes its kernels for the newest instruction set it finds,
and each set adds in an order of its own. Held to AVX2, which all x86-64 CPUs since about 2015 have,
training gives the same weights on a CPU with AVX-512 or AMX as on one without. With one thread no
kernel's order depends on the sizes of the caches; without oneDNN (TF_ENABLE_ONEDNN_OPTS=0) Eigen's
matrix product does.
"""

import os
import platform
from pathlib import Path
from typing import Literal

HELD = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "TENSORFLOW_USE_CUSTOM_CONTRACTION_KERNEL": "1",
}
DROPPED = (
    "DNNL_MAX_CPU_ISA",
    "DNNL_DEFAULT_FPMATH_MODE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS",
)
"""Variables of the user's that change what a kernel computes: other precision, another compiler."""

MATTERING = {
    "x86": (
        *("sse4_1", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16"),
        *("avx512_fp16", "avx_vnni", "avx_vnni_int8", "amx_tile", "amx_int8", "amx_bf16"),
    ),
    "arm": ("neon", "asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2"),
}
"""Instruction sets by which engines choose kernels, as Linux names them."""

CPUINFO = Path("/proc/cpuinfo")

Extent = Literal["nothing", "held", "all"]
"""What of the CPU an output's last bits depend on: nothing, what is left when kernels are held, or
all that an engine may choose by."""


def hold_kernels() -> None:
    """Have oneDNN compute alike on all CPUs with AVX2. Works until its library is loaded."""
    os.environ.update(HELD)
    for name in DROPPED:
        os.environ.pop(name, None)


def held_environment() -> dict[str, str]:
    """Return the environment for a program that is to compute as after `hold_kernels`."""
    return {**{key: value for key, value in os.environ.items() if key not in DROPPED}, **HELD}


def kind(extent: Extent, cpuinfo: Path = CPUINFO) -> str:
    """Return what of the CPU an output may depend on, for the key that it is stored under.

    The vendor always counts: Eigen starts reciprocals of square roots from an instruction whose
    last bits AMD and Intel choose differently, and the converter folds normalization with it.
    Kernels for Arm cannot be held, so there all that they choose by is named.
    """
    machine = platform.machine()
    if extent == "nothing":
        return machine
    vendor, have = vendor_and_sets(cpuinfo)
    if extent == "held" and {"avx2", "fma"} <= set(have):
        have = ("avx2",)
    return " ".join([machine, *have, vendor])


def vendor_and_sets(cpuinfo: Path = CPUINFO) -> tuple[str, tuple[str, ...]]:
    """Return the CPU's vendor and which of the instruction sets that matter it has."""
    try:
        first = cpuinfo.read_text().partition("\n\n")[0]
    except OSError:  # no Linux
        return platform.processor() or "unknown", ()
    pairs = (line.partition(":") for line in first.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    have = set(fields.get("flags", fields.get("Features", "")).split())
    vendor = fields.get("vendor_id", fields.get("CPU implementer", "unknown"))
    return vendor, tuple(name for names in MATTERING.values() for name in names if name in have)
