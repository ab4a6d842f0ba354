"""An engine that is a child program: it starts one for each call, and hands over files."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


class Engine:
    """The program beside the model; time and memory of this process are not the model's."""

    clock = "none"

    def __init__(self, folder: str, engine_options: dict[str, Any]) -> None:
        """Ask the program what `engine_options["model"]` in `folder` is."""
        self._command = [sys.executable]
        self._command += [str(Path(folder, engine_options[name])) for name in ("program", "model")]
        self._serial = engine_options["unit"].get("serial", "any")
        self._starts = 0
        self._about = self._start()

    def _start(self, *files: str) -> dict[str, Any]:
        self._starts += 1
        done = subprocess.run([*self._command, *files], stdout=subprocess.PIPE, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def io(self) -> dict[str, Any]:
        """Return what goes in and comes out."""
        return {side: self._about[side] for side in ("inputs", "outputs")}

    def infer(self, sample: Any) -> Any:
        """Run one sample."""
        return self.infer_many(sample)

    def infer_many(self, samples: Any) -> Any:
        """Run all samples in one program."""
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder, name)) for name in ("in.npy", "out.npy")]
            np.save(files[0], samples)
            self._start(*files)
            return np.load(files[1], allow_pickle=False)

    def figures(self) -> dict[str, float]:
        """Return what the program counted, and how often it was started."""
        return {"tensor_bytes": self._about["tensor_bytes"], "program_starts": self._starts}

    @staticmethod
    def conditions() -> dict[str, str]:
        """Return what the program runs on, which is not the host's CPU."""
        return {"cpu": "a program"}

    def operators(self) -> int:
        """Return how many operators the model has."""
        return int(self._about["operators"])

    def version(self) -> str:
        """Return the engine's name, and the unit that it drives."""
        return f"tiny-child 1, unit {self._serial}"
