"""Calls the compiler of `tiny-hosted`, wherever it is."""

import subprocess
from pathlib import Path
from typing import Any, Dict  # noqa: UP035  # of an old Python


class Refused(Exception):
    """The compiler cannot read the model."""

    hint = "train another one"


def work(job: Dict[str, Any], folder: Path) -> Dict[str, Any]:  # noqa: UP006
    """Write model.tflite from in.tflite."""
    done = subprocess.run(
        ["tinyc", "in.tflite", "model.tflite"], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Refused("tinyc: " + done.stderr.strip())
    return {"lines": len(done.stdout.splitlines())}
