"""What a build costs that is up to date, in CPU seconds: `python -m benchmarks few many run`."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.cases import BARE, MODEL, RECIPES
from benchmarks.project import CORES, ROOT, Project, alternating, project

SNAKEMAKE = ("snakemake", "--cores", str(CORES))
RUN = (sys.executable, "-m", "edgeflow", "run")


def few(repeats: int) -> Case:
    """Measure `snakemake` on a small project that is up to date."""
    return _nothing_to_do(repeats, models=1)


def many(repeats: int) -> Case:
    """Measure `snakemake` on a large project that is up to date."""
    return _nothing_to_do(repeats, models=29)


def _nothing_to_do(repeats: int, models: int) -> Case:
    """Measure a build that is up to date against rules of the same shape with `touch`."""
    with _built(models) as here, tempfile.TemporaryDirectory() as name:
        bare = Project(folder=Path(name), store="off")
        (bare.folder / "Snakefile").symlink_to(BARE / "Snakefile")
        (bare.folder / "profiles").symlink_to(ROOT / "profiles")
        config = {**_grid(models), "models": [f"m-seed{seed}" for seed in range(models)]}
        bare.write_config(config)
        bare.snakemake()
        count = _artifacts(here)
        if count != _artifacts(bare):
            raise RuntimeError(f"{count} and {_artifacts(bare)} manifests: the shapes differ")
        own, other = alternating(
            repeats, lambda: here.cpu(*SNAKEMAKE), lambda: bare.cpu(*SNAKEMAKE)
        )
    return Case(
        name=f"Nothing to do, {count:,} artifacts with a manifest",
        what="`snakemake`, all up to date, CPU",
        against="`benchmarks/bare/Snakefile`: the same files by `touch`",
        target=1.15,
        seconds=own,
        baseline=other,
    )


def stamped(repeats: int) -> Case:
    """Measure `edgeflow run` where its stamp tells that nothing changed.

    Raises:
        RuntimeError: Snakemake was started all the same, or a change went unnoticed.
    """
    with _built(models=29) as here:
        count = _artifacts(here)
        log = here.folder / ".snakemake" / "log"
        time.sleep(1)  # what changed while a run began counts as changed
        for _ in range(2):  # the first compiles edgeflow's modules in a fresh checkout
            here.run(*RUN)
        runs = len([*log.iterdir()])
        (own,) = alternating(repeats, lambda: here.cpu(*RUN))
        if len([*log.iterdir()]) != runs:
            raise RuntimeError("Snakemake was started")
        (here.folder / "config.yaml").touch()
        here.run(*RUN)
        if len([*log.iterdir()]) == runs:
            raise RuntimeError("a change was not seen")
    return Case(
        name=f"Nothing to do, {count:,} artifacts with a manifest",
        what="`edgeflow run`, all up to date, CPU",
        target=0.1,
        seconds=own,
    )


@contextmanager
def _built(models: int) -> Iterator[Project]:
    """Yield a project whose outputs are all there, and empty."""
    with project(commands=str(BARE)) as here:
        here.write_config(_grid(models))
        here.snakemake("--no-hooks")
        yield here


def _artifacts(here: Project) -> int:
    return len([*(here.folder / "results").rglob("*.json")])


def _grid(models: int) -> dict[str, Any]:
    """Return models x recipes x targets x devices; a device's name says its target and recipe."""
    names = [f"{t}-{r}-{n}" for t in ("pi", "intel") for r in RECIPES for n in range(2)]
    targets = {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}}
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"m": {**MODEL, "vary": {"train.seed": [*range(models)]}}},
        "recipes": RECIPES,
        "targets": targets,
        "devices": {
            name: {"target": name.partition("-")[0], "transport": "virtual"} for name in names
        },
        "deployments": [
            {"model": "m", "recipe": r, "devices": [name for name in names if f"-{r}-" in name]}
            for r in RECIPES
        ],
    }
