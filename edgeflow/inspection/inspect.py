"""Inspects a model file of any kind, and says what can be made of it."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edgeflow.config.modelbytes import flaw
from edgeflow.config.modelfile import FORMS, Kind, files_of, kind_of
from edgeflow.config.recipe import Recipe
from edgeflow.config.root import Config
from edgeflow.errors import CompileError
from edgeflow.inspection.converted import as_tflite
from edgeflow.inspection.facts import ModelFacts
from edgeflow.inspection.fits import (
    RecipeFit,
    TargetFit,
    known_recipes,
    recipe_fits,
    target_fits,
)
from edgeflow.inspection.of_onnx import inspect_onnx
from edgeflow.inspection.of_tflite import inspect_tflite


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What is in a model file, and what can be made of it."""

    path: Path
    facts: ModelFacts
    recipes: tuple[RecipeFit, ...]
    targets: tuple[TargetFit, ...]

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        return {
            "path": str(self.path),
            **self.facts.record(),
            "recipes": [asdict(fit) for fit in self.recipes],
            "targets": [fit.record() for fit in self.targets],
        }


def require_model(path: Path) -> Kind:
    """Return the kind of a model file.

    Raises:
        CompileError: it is none, or cannot be read.
    """
    kind = kind_of(path)
    if kind is None:
        raise CompileError(f"{path} is no model file", hint=FORMS)
    reason = flaw(path)
    if reason:
        raise CompileError(reason, hint="replace the file")
    return kind


def inspect(path: Path, config: Config | None) -> Inspection:
    """Inspect a model file.

    Args:
        path: the file, or folder of a SavedModel.
        config: whose recipes and targets are held against it.

    Raises:
        CompileError: it is no model file, or cannot be read.
    """
    kind, recipes = require_model(path), known_recipes(config)
    with tempfile.TemporaryDirectory() as scratch:
        facts, tflite, refusals = _facts(path, kind, recipes, Path(scratch))
        fits = recipe_fits(path, recipes, refusals)
        possible = {fit.recipe: recipes[fit.recipe] for fit in fits if not fit.reason}
        return Inspection(
            path=path,
            facts=facts,
            recipes=tuple(fits),
            targets=tuple(target_fits(path, tflite, config, possible)),
        )


def _facts(
    path: Path, kind: Kind, recipes: Mapping[str, Recipe], folder: Path
) -> tuple[ModelFacts, Path | None, Mapping[str, str]]:
    """Return the facts, the same network as .tflite if that is at hand, and what refuses it."""
    if kind == "tflite":
        return inspect_tflite(path), path, {}
    if kind == "onnx":
        return inspect_onnx(path), None, {}
    made = as_tflite(path, folder, recipes=recipes)
    size = sum(file.stat().st_size for file in files_of(path))
    note = "operators and sizes are those of LiteRT's converter: it folds and fuses layers"
    facts = inspect_tflite(made.path)
    facts = replace(facts, format=kind, size_bytes=size, notes=(note, *facts.notes))
    return facts, made.path, made.refusals
