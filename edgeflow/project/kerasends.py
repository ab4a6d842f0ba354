"""What a file of Keras takes and gives, by its JSON: Keras is not imported."""

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.project.end import End, Ends, Sizes


def keras_ends(path: Path) -> Ends:
    """Return what a file of Keras takes and gives.

    Raises:
        CompileError: it holds no architecture.
    """
    model = _keras_config(path).get("config", {})
    found = (each.get("config") for each in model.get("layers", []) if isinstance(each, Mapping))
    layers = {str(each.get("name")): each for each in found if isinstance(each, Mapping)}
    shapes = {name: _batched(config) for name, config in layers.items()}
    names = [list(_keras_names(model.get(side))) for side in ("input_layers", "output_layers")]
    # A Sequential model names neither: it begins where a shape stands, and ends with its layers.
    inputs = names[0] or [name for name, sizes in shapes.items() if sizes][:1]
    units = {name: layers.get(name, {}).get("units") for name in names[1] or list(layers)[-1:]}
    return (
        tuple(End(name, shapes.get(name)) for name in inputs),
        tuple(End(name, (count,) if count else None) for name, count in units.items()),
        (),
    )


def _batched(config: Mapping[str, Any]) -> Sizes | None:
    """Return the sizes of a layer that says what the model takes."""
    for key in ("batch_shape", "batch_input_shape"):
        if isinstance(config.get(key), list):
            return tuple(config[key][1:])
    return None


def _keras_names(layers: Any) -> Iterator[str]:
    """Yield the names in Keras' lists of layers: `[name, 0, 0]`, or a list or mapping of such."""
    if isinstance(layers, Mapping):
        for each in layers.values():
            yield from _keras_names(each)
    elif isinstance(layers, list) and layers and isinstance(layers[0], str):
        yield layers[0]
    elif isinstance(layers, list):
        for each in layers:
            yield from _keras_names(each)


def _keras_config(path: Path) -> Mapping[str, Any]:
    """Return the architecture that a file of Keras holds as JSON."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                text: Any = archive.read("config.json")
        else:
            import h5py

            with h5py.File(path) as file:
                text = file.attrs["model_config"]
        found = json.loads(text)
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        hint = "save the whole model, not its weights alone"
        raise CompileError(f"{path} holds no model of Keras", hint=hint) from error
    return found if isinstance(found, Mapping) else {}
