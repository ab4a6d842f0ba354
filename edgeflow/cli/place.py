"""Which model file a command means."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgeflow import paths
from edgeflow.cli.project import CONFIG
from edgeflow.paths import NAME_PATTERN

if TYPE_CHECKING:
    from edgeflow.config.root import Config

ModelFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="A .tflite, .onnx, .h5 or .keras file, a SavedModel's folder; or MODEL or "
        "MODEL/RECIPE of this project's results.",
    ),
]


def own_config(path: Path) -> "Config | None":
    """Return the configuration; None where there is none and none was named."""
    from edgeflow.config.load import load_file

    return load_file(path) if path != CONFIG or path.is_file() else None


def placed(model: str, results: Path, config: "Config | None") -> Path:
    """Return the file that is meant: one of that name, or that of a model of the configuration."""
    given = Path(model).expanduser()
    found = next(
        (one for one in (given, *_of_project(model, results, config)) if one.exists()), None
    )
    if found is None:
        message = f"no file {model}, and no such model in {results}"
        raise typer.BadParameter(message, param_hint="FILE")
    require_model_file(found)
    return found


def require_model_file(path: Path | None) -> Path | None:
    """Return the path of a model file, or none.

    Raises:
        BadParameter: it is no such file.
    """
    from edgeflow.config.modelfile import FORMS, kind_of

    if path is not None and not path.exists():
        raise typer.BadParameter(f"{path} does not exist: name {FORMS}")
    if path is not None and kind_of(path) is None:
        raise typer.BadParameter(f"{path} is no model file: {FORMS}")
    return path


def _of_project(model: str, results: Path, config: "Config | None") -> Iterator[Path]:
    """Yield where MODEL or MODEL/RECIPE may lie: what the user brought, or what a build made."""
    name, slash, recipe = model.partition("/")
    if not all(re.fullmatch(NAME_PATTERN, one) for one in (name, recipe)[: 1 + len(slash)]):
        return
    if recipe:
        yield results / paths.RECIPE.format(model=name, recipe=recipe) / "model.tflite"
        return
    section = config.models.get(name) if config else None
    if section is not None and section.source is not None:
        yield Path(section.source).expanduser()
    yield results / paths.BASELINE.format(model=name) / "model.h5"
