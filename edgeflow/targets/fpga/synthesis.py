"""Synthesis of hls4ml's project by the vendor's tool: what it says is believed where it fits."""

import json
import tempfile
from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.remote.answer import Answer, Count, Quantity, parse
from edgeflow.targets.fpga.vendor_worker import FOLDER
from edgeflow.targets.worker import Worker


class Estimates(Answer):
    """Numbers of the tool's report; None where it does not know one."""

    lut: Count
    ff: Count
    dsp: Count
    bram: Count
    latency_estimate_cycles: Count | None = None
    interval_estimate_cycles: Count | None = None
    estimated_clock_ns: Quantity


def synthesize(worker: Worker, program: str, clock_ns: float, project: Path) -> dict[str, float]:
    """Return what a vendor's tool estimates for a project, by the names of the figures.

    Args:
        worker: runs in the place that has the tool.
        program: the tool's name.
        clock_ns: period that was asked for.
        project: folder that hls4ml wrote.

    Raises:
        CompileError: the tool fails, or misses the clock.
        DeployError: what it says cannot be believed.
        MissingToolError: there is no such tool.
    """
    paths = [path for path in sorted(project.rglob("*")) if path.is_file()]
    files = {f"{FOLDER}/{path.relative_to(project).as_posix()}": path for path in paths}
    with tempfile.TemporaryDirectory() as name:
        answer = worker.run({"program": program}, files, Path(name), hint=_HINT)
    said = parse(Estimates, json.dumps(answer), device="the synthesis", program="the worker")
    if said.estimated_clock_ns > clock_ns:
        raise CompileError(
            f"{worker.title}: {program} estimates a period of {said.estimated_clock_ns:g} ns, and "
            f"`clock_ns` asks for {clock_ns:g}",
            hint="set a longer `clock_ns`, or a larger `reuse_factor`",
        )
    numbers = said.model_dump(exclude={"estimated_clock_ns"})
    return {name: value for name, value in numbers.items() if value is not None}


_HINT = "look at the log, and run the tool by hand in compiled/project"
