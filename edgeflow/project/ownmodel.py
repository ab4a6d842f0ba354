"""The section of a model file that a user brings, and of the data that it wants."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.config.placeholder import FILL_IN
from edgeflow.project.draft import AS_IT_IS, FLOAT, INT8
from edgeflow.project.modelends import ModelEnds
from edgeflow.project.place import whole
from edgeflow.project.propose import config_name
from edgeflow.project.yamltext import CALIBRATION, comment, entry


def sample_input(ends: ModelEnds) -> str | None:
    """Return the name of the input that takes the sample, where there are several."""
    if len(ends.inputs) == 1:
        return None
    return max(ends.inputs, key=lambda end: len(end.sizes or ())).name


def said_of(ends: ModelEnds) -> Iterator[str]:
    """Yield what to write of a model file: what it takes and gives."""
    yield f"inputs: {', '.join(end.told() for end in ends.inputs)}"
    yield f"outputs: {', '.join(end.told() for end in ends.outputs)}"
    if ends.notes:
        yield ", ".join(ends.notes)
    if ends.quantized:
        yield f"quantized already: {ends.quantized}"


def model_entry(folder: Path, path: Path, ends: ModelEnds, name: str, dataset: str) -> str:
    """Return YAML of the entry in `models`."""
    source = path_from(folder, path)
    values = {"dataset": dataset, "source": source}
    told = {"input": "that which takes the sample"}
    chosen = sample_input(ends)
    if chosen:
        values["input"] = chosen
    if len(ends.outputs) > 1:
        told["source"] = "all outputs are measured; `output:` keeps some"
    return comment(said_of(ends)) + entry(name, values, told)


def recipes(ends: ModelEnds) -> Sequence[str]:
    """Return the names of the recipes that suit a file."""
    return (AS_IT_IS,) if ends.quantized else (INT8, FLOAT)


def model_name(path: Path, dataset: str) -> str:
    """Return a name for a model, which is not that of its dataset."""
    name = config_name(path.stem if path.suffix else path.name)
    return f"{name}-model" if name == dataset else name


def wanted(ends: ModelEnds) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the section of a dataset that is still to be brought."""
    if ends.image is None:
        told = {"path": "np.savez(path, x=x, y=y)"}
        return {"source": "npz", "path": f"{FILL_IN}.npz"}, told
    height, width, channels = ends.image
    values = {
        "source": "image_folder",
        "path": FILL_IN,
        "size": [height or 96, width or 96],
        "channels": 1 if channels == 1 else 3,
        "calibration": 100,
    }
    told = {} if height and width else {"size": "the model takes any: choose"}
    return values, {
        "path": "a folder of images for each class",
        **told,
        "calibration": CALIBRATION,
    }


def missing(ends: ModelEnds) -> str:
    """Return what the user has to bring, in words."""
    classes = f"{ends.classes} classes" if ends.classes else "the classes"
    if ends.image is not None:
        return f"datasets.samples.path, a folder with a folder of images for each of {classes}"
    return f"datasets.samples.path, an .npz file with samples x and class numbers y of {classes}"


def path_from(folder: Path, path: Path) -> str:
    """Return a path as it is written in a project: from there, if it lies there."""
    root, path = whole(folder), whole(path)
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
