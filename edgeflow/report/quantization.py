"""What quantization did to each model, as the steps compress and debug left it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest
from edgeflow.artifact.records import read_record

FIGURES = "quantization.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantization:
    """A model after a recipe.

    Attributes:
        figures: of the debug step; empty if it has not run, or nothing became integer.
        facts: of the compress step: what stayed in float, what `auto` tried and took.
    """

    model: str
    recipe: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The stem of the plot's file."""
        return f"layer_error_{self.model}_{self.recipe}"

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Each layer's errors, in the order in which the layers run."""
        return list(self.figures.get("layers", ()))

    @property
    def hurting(self) -> list[dict[str, Any]]:
        """The layers that add the most error, the largest first."""
        by_name = {layer["name"]: layer for layer in self.layers}
        return [by_name[name] for name in self.figures.get("hurting", ())]

    @property
    def classes(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Label and figures of each class; empty where the task has no classes."""
        found = self.figures.get("classes") or {"labels": [], "by_class": []}
        return list(zip(found["labels"], found["by_class"], strict=True))


def load_quantizations(results: Path, pairs: Iterable[tuple[str, str]]) -> list[Quantization]:
    """Return what there is to say of each distinct model and recipe.

    Raises:
        IntegrityError: a file cannot be read.
    """
    found = [_load(results, model, recipe) for model, recipe in dict.fromkeys(pairs)]
    return [item for item in found if item.layers or "tried" in item.facts]


def input_names(model: str, recipe: str) -> tuple[str, str]:
    """Return the files below results that are read for a model and recipe."""
    names = {"model": model, "recipe": recipe}
    patterns = (f"{paths.DEBUG}/{FIGURES}", f"{paths.RECIPE}/manifest.json")
    figures, manifest = (pattern.format(**names) for pattern in patterns)
    return figures, manifest


def _load(results: Path, model: str, recipe: str) -> Quantization:
    figures, manifest = (results / name for name in input_names(model, recipe))
    return Quantization(
        model=model,
        recipe=recipe,
        figures=_read(figures),
        facts=read_manifest(manifest).facts if manifest.is_file() else {},
    )


def _read(path: Path) -> dict[str, Any]:
    return read_record(path, "figures of a quantization", dict) if path.exists() else {}
