"""The C++ compiler of simulations, for this machine and for the hosts of devices."""

import platform

from edgeflow.toolchain.base import Program


def compiler(arch: str) -> str:
    """Return the name of the compiler for a machine, as `uname -m` calls that."""
    return "g++" if arch == platform.machine() else f"{arch}-linux-gnu-g++"


def compiler_program(arch: str) -> Program:
    """Return the compiler for a machine, with the package that has it."""
    name = compiler(arch)
    package = name if name == "g++" else f"g++-{arch.replace('_', '-')}-linux-gnu"
    return Program(name=name, install=f"apt install {package}")
