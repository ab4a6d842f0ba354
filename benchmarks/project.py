"""A checkout of its own for each measurement: nothing of the user's is read or written."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgeflow.testing.virtual_devices import stop_devices

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config.yaml", "edgeflow", "rules", "profiles", "report")
CORES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A folder with the workflow.

    Attributes:
        store: the folder of its store, or ``off``.
        commands: folder of another `edgeflow` for the rules to call.
    """

    folder: Path
    store: str
    commands: str | None = None

    def run(self, *command: str, **more: str) -> float:
        """Run a command in the folder and return the seconds it took.

        Raises:
            RuntimeError: it failed.
        """
        start = time.monotonic()
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(more), capture_output=True, text=True
        )
        seconds = time.monotonic() - start
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
            )
        return seconds

    def cpu(self, *command: str) -> float:
        """Run a command in the folder and return the CPU seconds it took, with its children's."""
        return timed(lambda: self.run(*command))[1]

    def snakemake(self, *arguments: str) -> float:
        """Run Snakemake and return the seconds it took."""
        return self.run("snakemake", *arguments, "--cores", str(CORES))

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Replace config.yaml."""
        (self.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def events(self) -> list[dict[str, Any]]:
        """Return what the steps wrote into the event log."""
        log = self.folder / "logs" / "events.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        ours = {"PATH": path, "PYTHONPATH": str(self.folder), "EDGEFLOW_STORE": self.store}
        if self.commands:
            ours["EDGEFLOW_BIN"] = self.commands
        kept = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, **ours, **more}


@contextmanager
def project(store: str = "off", commands: str | None = None) -> Iterator[Project]:
    """Make a fresh checkout; its virtual devices end with it."""
    with tempfile.TemporaryDirectory(prefix="edgeflow-bench-") as name:
        folder = Path(name) / "project"
        folder.mkdir()
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        try:
            yield Project(folder=folder, store=store, commands=commands)
        finally:
            stop_devices(folder)


def timed(run: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds that `run` says it took, and the CPU seconds of what it started.

    Only processes that are waited for count: not virtual devices, and not what runs on them.
    """
    before = os.times()
    seconds = run()
    after = os.times()
    user = after.children_user - before.children_user
    return seconds, round(user + after.children_system - before.children_system, 2)


def machine() -> dict[str, str]:
    """Return what the figures were taken with."""
    from importlib.metadata import version

    names = ("snakemake", "tensorflow", "openvino", "nncf")
    processor = "unknown processor"
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else []:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "machine": f"{platform.machine()}, {processor}, {os.cpu_count()} cores, {CORES} used",
        "system": f"{platform.system()} {platform.release()}",
        "load at start": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def alternating(repeats: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Return the seconds of each measure, taken in turns so that all see the same machine."""
    taken: list[list[float]] = [[] for _ in measures]
    for _ in range(repeats):
        for seconds, measure in zip(taken, measures, strict=True):
            seconds.append(round(measure(), 2))
    return taken
