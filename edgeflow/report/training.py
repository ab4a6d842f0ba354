"""How each model of the report was trained."""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.cpu import reproducible
from edgeflow.artifact.manifest import Manifest, read_manifest
from edgeflow.errors import IntegrityError


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """A trained model: figure per epoch by name, and its manifest.

    Beside the losses there are curves of the metric, where its task keeps any.

    Attributes:
        epochs: number of each epoch; every curve has one figure for each.
    """

    model: str
    epochs: tuple[int, ...]
    curves: Mapping[str, tuple[float, ...]]
    manifest: Manifest

    @property
    def facts(self) -> Mapping[str, Any]:
        """Figures that training left in its manifest."""
        return self.manifest.facts

    @property
    def reproducible(self) -> bool:
        """Whether another training of the same gives the same bytes."""
        return reproducible(self.manifest.slice)

    @property
    def metric(self) -> str:
        """Name of the metric, and of its curve, if there is one."""
        return str(self.facts["metric"])


def load_training(results: Path, models: Iterable[str]) -> list[Training]:
    """Return the training of each distinct model that has been trained; imported ones have none.

    Raises:
        IntegrityError: a history or manifest cannot be read.
    """
    folders = {model: results / paths.BASELINE.format(model=model) for model in models}
    trainings = [
        _training(model, folder)
        for model, folder in folders.items()
        if (folder / "manifest.json").is_file() and (folder / "history.csv").is_file()
    ]
    return [training for training in trainings if training.epochs]


def _training(model: str, folder: Path) -> Training:
    path = folder / "history.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            records = list(reader)
        epochs = tuple(int(record["epoch"]) for record in records)
        names = [name for name in reader.fieldnames or () if name != "epoch"]
        cells = {name: [record[name] for record in records] for name in names}
        given = {name: values for name, values in cells.items() if any(values) or not values}
        curves = {name: tuple(map(float, values)) for name, values in given.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            f"{path} cannot be read as training curves: {error!r}",
            hint=f"delete {folder} and run `edgeflow run` again",
        ) from error
    manifest = read_manifest(folder / "manifest.json")
    return Training(model=model, epochs=epochs, curves=curves, manifest=manifest)
