"""Exports the C of an int8 .tflite as a folder that build systems of firmware take."""

import math
from collections.abc import Collection, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edgeflow.config.modelfile import kind_of
from edgeflow.config.tflitefile import CONVERSIONS, read_tflite
from edgeflow.errors import CompileError, ConfigError, Problem
from edgeflow.targets.mcu.emit import ends, templates
from edgeflow.targets.mcu.export.facts import facts
from edgeflow.targets.mcu.export.folder import write
from edgeflow.targets.mcu.export.layout import FILES, Layout
from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.settings import Settings


def export(
    model: Path,
    out: Path,
    settings: Settings,
    *,
    labels: Sequence[str] = (),
    layouts: Collection[Layout] = tuple(Layout),
    force: bool = False,
) -> dict[str, Any]:
    """Write the C of a network into a folder; return what is said of it, in JSON form.

    Args:
        model: an int8 .tflite.
        out: new or empty, unless `force`.
        settings: of the generator.
        labels: names of the classes, one for each value of the first output.
        layouts: which build systems the folder is for.
        force: replace an earlier export in the folder.

    Raises:
        CompileError: the file is damaged, is not int8, or has operators that no kernel takes.
        ConfigError: the labels do not fit, or the folder is not free.
        StorageError: the folder cannot be written.
    """
    _require_int8(model)
    content = model.read_bytes()
    sources = generate(content, settings, labels)
    known = {
        "edgeflow": version("edgeflow-ml"),
        "model_sha256": sha256(content).hexdigest(),
        "layouts": [layout for layout in Layout if layout in layouts],
        "labels": list(labels),
        **facts(sources, settings),
    }
    _require_fitting(labels, known)
    write(out, dict(_files(sources, known)), known, force=force)
    return known


def _files(sources: Sources, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the paths and texts of all files."""
    name = known["settings"]["name"]
    for file, text in sources.files.items():
        yield f"src/{file}", text
    values = {
        **known,
        "name": name,
        "upper": name.upper(),
        "sources": sorted(f"src/{file}" for file in sources.files if file.endswith(".c")),
        "ends": ends(sources.graph, name),
    }
    extra = (file for layout in known["layouts"] for file in FILES[layout])
    for file in dict.fromkeys(("README.md", "examples/main.c", *extra)):
        template = templates().get_template(f"export/{file}.j2")
        yield file.replace("NAME", name), template.render(values)


def _require_int8(model: Path) -> None:
    """Refuse a file of which nothing computes in int8, and say how to make one that does.

    Raises:
        CompileError: it is float, quantized otherwise, or no .tflite.
    """
    file = read_tflite(model)
    if file is None and kind_of(model) == "tflite":
        raise CompileError(f"{model} is no .tflite, or damaged", hint="export it again")
    computed = [one.dtypes for one in file.operators if one.name not in CONVERSIONS] if file else []
    if any("int8" in dtypes for dtypes in computed):
        return
    found = "in int16" if any("int16" in dtypes for dtypes in computed) else "in float"
    raise CompileError(
        f"{model} {f'computes {found}' if file else 'is no .tflite'}, and the C computes in int8",
        hint="give the float model to a recipe with `quantize: ptq-int8`, and export the "
        "model.tflite that it makes; `edgeflow init DIR --model FILE` writes a project for it",
    )


def _require_fitting(labels: Sequence[str], known: dict[str, Any]) -> None:
    """Refuse labels that are not one for each value of the first output."""
    count = math.prod(known["outputs"][0]["shape"])
    problems = [f"has {len(labels)} labels, and the first output {count} values"]
    problems = problems if labels and len(labels) != count else []
    problems += [f"label {label!r} has a NUL" for label in labels if "\0" in label]
    if problems:
        raise ConfigError(
            [Problem(path="--labels", message=text) for text in problems],
            source="the labels",
            hint="write one label for each class, a line each, in the order of the outputs",
        )
