"""A first deployment to many devices: what the build machine's CPU does for it."""

import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.case import Case
from benchmarks.cases import MODEL, RECIPES
from benchmarks.project import Project, alternating, project, timed
from edgeflow.remote.virtual.layout import is_served
from edgeflow.testing.virtual_devices import stop_devices


def many_devices(repeats: int, devices: int = 50) -> Case:
    """Measure a first deployment to virtual devices with the step server and without."""
    with tempfile.TemporaryDirectory() as store, project(store) as here:
        here.write_config(_config(devices))
        here.snakemake("--until", "bundle")

        def deploy(server: dict[str, str]) -> Callable[[], float]:
            def measure() -> float:
                _forget_devices(here)
                command = ("snakemake", "--until", "gate", "--cores", "2")
                _, cpu = timed(lambda: here.run(*command, **server))
                deployed = len(list(here.folder.glob("results/devices/*/*/gates.json")))
                if deployed != devices:
                    raise RuntimeError(f"{deployed} of {devices} devices were deployed to")
                return cpu

            return measure

        own, other = alternating(repeats, deploy({}), deploy({"EDGEFLOW_STEP_SERVER": "off"}))
    return Case(
        name=f"First deployment to {devices} virtual devices, CPU of the host",
        what="`snakemake --until gate`",
        against="the same, each step a Python of its own",
        target=0.25,
        seconds=own,
        baseline=other,
    )


def _config(devices: int) -> dict[str, Any]:
    names = [f"d{number}" for number in range(devices)]
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"m": {**MODEL, "train": {"epochs": 1}}},
        "recipes": {"int8": RECIPES["int8"]},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {name: {"target": "pi", "transport": "virtual"} for name in names},
        "deployments": [{"model": "m", "recipe": "int8", "devices": names}],
    }


def _forget_devices(here: Project) -> None:
    """Let all devices be as new."""
    state = here.folder / ".edgeflow" / "virtual"
    stop_devices(here.folder)
    while state.exists() and is_served(state):
        time.sleep(0.05)
    shutil.rmtree(state, ignore_errors=True)
    shutil.rmtree(here.folder / "results" / "devices", ignore_errors=True)
