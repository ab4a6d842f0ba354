"""Makes hardware description of a network and simulates it, in the environment of envs/fpga.txt."""

from pathlib import Path
from typing import Any


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Do what the flow in `job` asks; see the module of that name.

    Args:
        job: ``flow``, the name of a module here, and its arguments.
        folder: with the network, gets what is made of it.
    """
    from . import hls, rtl

    flows = {"rtl": rtl.work, "hls": hls.work}
    return flows[job["flow"]](job, folder)
