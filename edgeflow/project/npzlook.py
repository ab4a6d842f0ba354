"""The dataset section for arrays in an .npz file."""

import zipfile
from pathlib import Path
from typing import Any

from edgeflow.dataset.arrays import npy_header, part_arrays, truth_of
from edgeflow.dataset.axes import MOST_COLOURS
from edgeflow.errors import DataError
from edgeflow.project.place import CONVERT
from edgeflow.project.survey.finding import Finding

MOST_CHANNELS = 32
"""More channels than that are taken for the height of images."""

Shape = tuple[int, ...]


def arrays_section(path: Path) -> tuple[dict[str, Any], dict[str, str], list[Finding]]:
    """Return the section for a file, with an absolute path, what to show of its arrays, and to say.

    Raises:
        DataError: it is no .npz file with samples and their truth.
    """
    headers = _headers(path)
    parts = part_arrays(headers)
    train = parts.get("train", {})
    truth = truth_of(train) if train else ""
    if not train or truth not in headers:
        held = ", ".join(sorted(headers)) or "nothing"
        message = f"{path} holds {held}, and no x and y, or x_train and y_train"
        raise DataError(message, hint=CONVERT)
    if len(train) > 1:
        raise DataError(
            f"{path} has the inputs {', '.join(train)}, and no network of edgeflow takes several",
            hint="write a network of your own, and its dataset by hand: see docs/datasets.md",
        )
    (shape, dtype), (_, truth_dtype) = headers[next(iter(train.values()))], headers[truth]
    source = _source(shape)
    values: dict[str, Any] = {"source": source, "path": str(path)}
    if truth_dtype == "f":
        values["task"] = "regression"
    first = _channels_first(source, shape)
    if first:
        values["data_format"] = "channels_first"
    if dtype == "f" and (source == "signal" or len(shape) == 2):
        values["preprocess"] = {"standardize": True}
    told = {name: " x ".join(map(str, form)) for name, (form, _) in headers.items()}
    facts = {"arrays": ", ".join(f"{name} {form}" for name, form in told.items())}
    return values, facts, [_moved(shape)] if first else []


def _moved(shape: Shape) -> Finding:
    """Return what is said of channels that seem to stand first; a build wants it to be certain."""
    return Finding(
        level="warning",
        message=f"samples of shape {shape[1:]} seem to have their {shape[1]} channels first, and "
        "are read so",
        hint="config.yaml must say so: `data_format: channels_first`, or `data_format: "
        "channels_last` if they stand last",
    )


def _headers(path: Path) -> dict[str, tuple[Shape, str]]:
    """Return the shape of each array, and the kind of its dtype as numpy has it."""
    try:
        with zipfile.ZipFile(path) as archive:
            found: dict[str, tuple[Shape, str]] = {}
            for member in archive.namelist():
                with archive.open(member) as file:
                    shape, _, dtype = npy_header(file)
                found[member.removesuffix(".npy")] = (shape, dtype.kind)
            return found
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read as .npz: {error}", hint=CONVERT) from error


def _source(shape: Shape) -> str:
    """Return `signal` for (n, length, channels), in any order, and `npz` for all else."""
    if len(shape) == 3:
        few, many = sorted(shape[1:])
        return "signal" if few <= MOST_CHANNELS and many >= 4 * few else "npz"
    return "npz"


def _channels_first(source: str, shape: Shape) -> bool:
    if source == "signal":
        return shape[1] < shape[2]
    return len(shape) == 4 and shape[1] < min(shape[2:]) and shape[3] > MOST_COLOURS
