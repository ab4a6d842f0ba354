"""Runs Vela: standard library alone, for the environment that has it."""

import configparser
import csv
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SOURCE = "source.tflite"
"""What Vela compiles."""
MODEL = "model.tflite"
"""What it makes."""
RAW = "model.npz"
"""The same for firmware without an interpreter: arrays with the commands, weights and shapes."""

_HINT = "try another recipe, or change the network as Vela's reason says"
_LEFT = re.compile(
    r"^Warning \([\w ]+\) operator: (?P<operator>\S+), ofm: '(?P<output>.*)'\n"
    r"Reason: (?P<reason>.*)$",
    re.MULTILINE,
)


class Refused(Exception):
    """Vela cannot compile the model."""

    hint = _HINT


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Compile source.tflite.

    Args:
        job: ``arguments`` of Vela's command line; ``ini``, the sections of a vela.ini of the
            user's own, or empty; ``raw``, whether to make model.npz too.
        folder: gets model.tflite.

    Returns:
        ``summary``: the one row of Vela's CSV; ``left``: Vela's reason for each operator that it
        leaves to the CPU, by the name of the operator's output.
    """
    arguments = list(job["arguments"])
    if job["ini"]:
        _write_ini(job["ini"], folder / "vela.ini")
        arguments += ["--config", "./vela.ini"]
    said = _run([*arguments, "--output-format", "tflite"], "source_vela.tflite", folder / MODEL)
    row = _summary(folder)
    if job["raw"]:
        _run([*arguments, "--output-format", "raw"], "source_vela.npz", folder / RAW)
        _summary(folder)
    (folder / "vela.ini").unlink(missing_ok=True)
    return {"summary": row, "left": _left(said)}


def _run(arguments: list[str], made: str, wanted: Path) -> str:
    """Let Vela make a file, under the name that is wanted; return what it printed."""
    # By its module: the script beside the interpreter has a path in its first line.
    command = [sys.executable, "-I", "-m", "ethosu.vela", SOURCE, *arguments, "--output-dir", "."]
    folder = wanted.parent
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
    )
    print(done.stdout, done.stderr)  # for the step's log
    path = folder / made
    if done.returncode != 0 or not path.is_file() or not path.stat().st_size:
        raise Refused("Vela: " + _reason(done))
    path.rename(wanted)
    return done.stdout


def _write_ini(sections: dict[str, dict[str, str]], path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]  # names of memories are in mixed case
    parser.read_dict(sections)
    with path.open("w") as file:
        parser.write(file, space_around_delimiters=False)


def _summary(folder: Path) -> dict[str, str]:
    """Return the row of the CSV, and remove that file."""
    (path,) = folder.glob("source_summary_*.csv")
    with path.open(newline="") as file:
        (row,) = csv.DictReader(file)
    path.unlink()
    return dict(row)


def _left(said: str) -> dict[str, str]:
    return {found["output"]: found["reason"].strip() for found in _LEFT.finditer(said)}


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    """Return what Vela says of its failure: its last line, without the traceback around it."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    lines = lines or [line.strip() for line in done.stdout.splitlines() if "rror" in line]
    said = re.sub(r"^[\w.]+(Error|Exception): ", "", lines[-1]).strip("'") if lines else ""
    if done.returncode < 0:
        return f"it crashed with signal {-done.returncode}" + (f"; it said: {said}" if said else "")
    return said or f"it ended with exit code {done.returncode} and made no model"
