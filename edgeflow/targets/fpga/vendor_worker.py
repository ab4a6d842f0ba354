"""Lets Vitis HLS or Vivado HLS synthesize hls4ml's project, where that tool is.

On a compile host this file runs alone, with the standard library.
"""

import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

COMMANDS = {
    "vitis-run": ["--tcl", "build_prj.tcl", "--mode", "hls"],
    "vivado_hls": ["-f", "build_prj.tcl", "reset=1 csim=0 synth=1 cosim=0 validation=0 export=0"],
}
"""How hls4ml's script is run: Vitis reads its steps from the file below, Vivado HLS from there."""
STEPS = "build_opt.tcl"
_STEPS = """array set opt {
    reset 1 csim 0 synth 1 cosim 0 validation 0 export 0 vsynth 0 fifo_opt 0
}
"""
REPORT = "model_prj/solution1/syn/report/model_csynth.xml"
FOLDER = "project"
PLACES = {
    "lut": "AreaEstimates/Resources/LUT",
    "ff": "AreaEstimates/Resources/FF",
    "dsp": "AreaEstimates/Resources/DSP",
    "bram": "AreaEstimates/Resources/BRAM_18K",
    "latency_estimate_cycles": "PerformanceEstimates/SummaryOfOverallLatency/Worst-caseLatency",
    "interval_estimate_cycles": "PerformanceEstimates/SummaryOfOverallLatency/Interval-max",
    "estimated_clock_ns": "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod",
}
"""Where the report has each number."""
OLD_NAMES = {"AreaEstimates/Resources/DSP": "AreaEstimates/Resources/DSP48E"}
_HINT = "look at the log, and run the tool by hand in compiled/project"


class Refusal(Exception):
    """The tool does not take the project, or left no report."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Synthesize the project in the folder; leave nothing of that there.

    Args:
        job: ``program``, the vendor's.
        folder: with project/.

    Returns:
        Numbers of the tool's report, by the names in `PLACES`; those that it does not know, such
        as the latency of a loop without a bound, are not among them.

    Raises:
        Refusal: the tool fails, or leaves no such report.
    """
    place, program = folder / FOLDER, job["program"]
    if program == "vitis-run":
        (place / STEPS).write_text(_STEPS)
    before = set(place.rglob("*"))
    code = _run([program, *COMMANDS[program]], place)
    try:
        said = _read(place / REPORT)
    except (OSError, ET.ParseError) as error:
        raise Refusal(f"{program} leaves no report (exit code {code}): {error}", _HINT) from error
    if code != 0:
        raise Refusal(f"{program} fails with exit code {code}", _HINT)
    for path in sorted(set(place.rglob("*")) - before, reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    return said


def _run(command: list[str], place: Path) -> int:
    done = subprocess.run(
        command,
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    print(done.stdout, end="")
    return done.returncode


def _read(path: Path) -> dict[str, Any]:
    root = ET.parse(path).getroot()  # noqa: S314  # of the tool that ran there
    said = {}
    for name, place in PLACES.items():
        text = root.findtext(place) or root.findtext(OLD_NAMES.get(place, place)) or ""
        try:
            said[name] = float(text) if name == "estimated_clock_ns" else int(text)
        except ValueError:
            continue
    return said
