"""The environment of HGQ2, da4ml, hls4ml, Verilator and yosys: recipes and targets for FPGAs."""

import sys

from edgeflow.paths import workflow_folder
from edgeflow.toolchain.base import Environment


def environment() -> Environment:
    """Return the environment, whose lock is good for all versions of Python that run edgeflow."""
    return Environment(
        lock=workflow_folder() / "envs" / "fpga.txt",
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )
