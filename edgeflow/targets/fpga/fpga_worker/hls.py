"""Makes a project for high-level synthesis of a network with hls4ml, and a library that runs it."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from . import emulation, project, samples
from .opening import open_network

DESCRIPTION = "model.json"


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write project/, the libraries, model.json and, of an exact network, what Keras gives.

    Args:
        job: ``network``, the file's name; ``exact``, whether it is quantized by HGQ2; ``backend``,
            ``io``, ``part``, ``clock_ns``, ``reuse_factor`` and ``precision`` for hls4ml;
            ``compilers``, of each library to build, by its name; and ``given``, for how many
            inputs there are samples, ``given_0.npy`` and so on.
        folder: with the network and the samples.

    Returns:
        How many ``layers`` there are, the ``types`` of their results, and the ``resolution`` of
        each output.

    Raises:
        Refusal: Keras, hls4ml or g++ does not take the network.
    """
    network = open_network(folder / job["network"])
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        graph = project.write(network, job, place)
        project.keep(place, folder / "project")
        said = _described(graph, job)
        for library, compiler in job["compilers"].items():
            emulation.build(place, job["backend"], compiler, json.dumps(said), folder / library)
    (folder / DESCRIPTION).write_text(json.dumps(said, sort_keys=True))
    if job["exact"]:
        samples.write(network, said["inputs"], folder, job["given"])
    resolution = [_step(one) for one in _outputs(graph)]
    return {"layers": said["layers"], "types": _types(graph), "resolution": resolution}


def _described(graph: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return what the engines read: tensors with the types that they have on the chip."""
    return {
        "compiler": f"hls4ml {version('hls4ml')}",
        "backend": job["backend"],
        "part": job["part"],
        "clock_ns": job["clock_ns"],
        "io_type": job["io"],
        "layers": len(graph.get_layers()),
        "inputs": [_tensor("input", i, one) for i, one in enumerate(graph.get_input_variables())],
        "outputs": [_tensor("output", i, one) for i, one in enumerate(_outputs(graph))],
    }


def _outputs(graph: Any) -> list[Any]:
    return list(graph.get_output_variables())


def _tensor(side: str, place: int, variable: Any) -> dict[str, Any]:
    precision = variable.type.precision
    return {
        "name": f"{side}{place}",
        "shape": [1, *map(int, variable.shape)],
        "type": str(precision),
        "signed": bool(precision.signed),
        "width": int(precision.width),
        "fraction": int(precision.width - precision.integer),
    }


def _step(variable: Any) -> float:
    precision = variable.type.precision
    return float(2.0 ** (precision.integer - precision.width))


def _types(graph: Any) -> dict[str, str]:
    layers = [layer for layer in graph.get_layers() if layer.get_output_variable() is not None]
    return {layer.name: str(layer.get_output_variable().type.precision) for layer in layers}
