"""Builds examples/compression, holds its figures against what they should be, writes the tables.

`python -m benchmarks.recipes` takes an hour and a half of two cores the first time; what the
store holds is not trained again. `--from-scratch` uses no store.
"""

import argparse
import csv
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.project import ROOT, project
from benchmarks.table import replace_between
from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest
from edgeflow.compress.integer import float_tensors

EXAMPLE = ROOT / "examples" / "compression"
PAGE = ROOT / "docs" / "recipes.md"
MODEL, CONVNET, WIDE, TARGET = "clothing-cnn", "clothing-convnet", "clothing-wide", "pi-cpu"

Row = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure and its bound; `least` says that the bound is the lowest value allowed."""

    name: str
    value: float
    bound: float
    least: bool = False

    @property
    def held(self) -> bool:
        """Whether the bound is kept."""
        return self.value >= self.bound if self.least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.least else "≤"
        verdict = "yes" if self.held else "no"
        return f"| {self.name} | {self.value:.2f} | {sign} {self.bound:g} | {verdict} |"


class Measured:
    """What a build left: rows of metrics.csv, and manifests."""

    def __init__(self, results: Path) -> None:
        self._results = results
        with (results / "report" / "metrics.csv").open(newline="") as file:
            self.rows = list(csv.DictReader(file))

    def row(self, recipe: str, model: str = MODEL, target: str = TARGET) -> Row:
        """Return the row of a recipe."""
        keys = {"recipe": recipe, "model": model, "target": target}
        (found,) = (row for row in self.rows if keys.items() <= row.items())
        return found

    def accuracy(self, recipe: str, model: str = MODEL) -> float:
        """Return the accuracy on the device in percent."""
        return 100 * float(self.row(recipe, model)["metric_device"])

    def drop(self, recipe: str, model: str = MODEL) -> float:
        """Return the points of accuracy lost from the float model."""
        return 100 * float(self.row(recipe, model)["metric_baseline"]) - self.accuracy(
            recipe, model
        )

    def parameters(self, model: str) -> float:
        """Return the number of weights of a trained model."""
        manifest = self._results / paths.BASELINE.format(model=model) / "manifest.json"
        return float(read_manifest(manifest).facts["parameters"])

    def floats(self, recipe: str) -> int:
        """Return the number of float tensors in a recipe's model."""
        path = self._results / paths.RECIPE.format(model=MODEL, recipe=recipe) / "model.tflite"
        return len(float_tensors(path.read_bytes()))


def figures(measured: Measured) -> Iterator[Figure]:
    """Yield what the techniques should reach."""
    yield Figure(name="float accuracy, %", value=measured.accuracy("fp32"), bound=92.0, least=True)
    drops = (
        ("int8", MODEL, 0.5),
        ("int8-qat", MODEL, 0.2),
        ("packed", CONVNET, 1.0),
        ("slim", WIDE, 1.5),
    )
    for recipe, model, bound in drops:
        drop = measured.drop(recipe, model)
        yield Figure(name=f"`{recipe}` of {model}: points lost", value=drop, bound=bound)
    for recipe in ("int8", "int8-qat"):
        floats = measured.floats(recipe)
        yield Figure(name=f"`{recipe}`: float tensors", value=floats, bound=0)
    row = measured.row("packed", CONVNET)
    written, packed = float(row["float_bytes"]), float(row["model_packed_bytes"])
    name = "`packed`: float32 as written / packed model, times smaller"
    yield Figure(name=name, value=written / packed, bound=12.0, least=True)
    yield from _distillation(measured)
    p50 = {name: float(measured.row(name, WIDE)["latency_p50_ms"]) for name in ("int8", "slim")}
    name = f"`slim` of {WIDE}: p50 of `int8` / p50 of `slim`, times faster"
    yield Figure(name=name, value=p50["int8"] / p50["slim"], bound=1.6, least=True)


def _distillation(measured: Measured) -> Iterator[Figure]:
    share = measured.parameters("student") / measured.parameters(WIDE)
    yield Figure(name="student's share of the teacher's parameters", value=share, bound=0.25)
    teacher = measured.accuracy("fp32", WIDE)
    alone = teacher - measured.accuracy("fp32", "student")
    taught = teacher - measured.accuracy("distilled", "student")
    name = "`distilled`: loss to the teacher / loss when trained alone"
    yield Figure(name=name, value=taught / alone, bound=0.5)


def tables(measured: Measured, checked: list[Figure]) -> str:
    """Return the figures and the row of each recipe, as Markdown."""
    return "\n".join(
        [
            "| figure | measured | bound | held |",
            "|---|---:|---:|---|",
            *map(str, checked),
            "",
            "| model | recipe | target | float, % | on the device, % | p50, ms | model, bytes "
            "| packed, bytes |",
            "|---|---|---|---:|---:|---:|---:|---:|",
            *(_line(row) for row in measured.rows),
            "",
        ]
    )


def _line(row: Row) -> str:
    cells: list[Any] = [
        row["model"],
        f"`{row['recipe']}`",
        row["target"],
        f"{100 * float(row['metric_baseline']):.2f}",
        f"{100 * float(row['metric_device']):.2f}",
        f"{float(row['latency_p50_ms']):.4f}",
        f"{int(row['model_bytes']):,}",
        f"{int(row['model_packed_bytes']):,}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Build, print the tables, write them into the page; 0 if every figure holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("--from-scratch", action="store_true", help="take nothing from the store")
    parser.add_argument("--results", type=Path, help="keep the results in this folder")
    arguments = parser.parse_args()
    store = "off" if arguments.from_scratch else str(Path("~/.cache/edgeflow").expanduser())
    with project(store=store) as checkout:
        shutil.copyfile(EXAMPLE / "config.yaml", checkout.folder / "config.yaml")
        checkout.snakemake()
        results = checkout.folder / "results"
        measured = Measured(results)
        checked = list(figures(measured))
        if arguments.results:
            shutil.copytree(results, arguments.results, dirs_exist_ok=True)
    text = tables(measured, checked)
    print(text)
    replace_between(PAGE, text)
    return 0 if all(figure.held for figure in checked) else 1


if __name__ == "__main__":
    sys.exit(main())
