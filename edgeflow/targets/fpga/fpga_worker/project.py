"""What hls4ml writes: C++ with pragmas, weights and scripts for the vendor's tool."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .reading import correct
from .refusal import Refusal

NAME = "model"
"""Of the top function, and of the files."""
TABLE_SIZE = 4096
"""Entries of a softmax's tables: 1,024, which is hls4ml's own, are too few for its inputs."""
LOGITS = "fixed<{},{},RND,SAT>"
"""Type of what a softmax reads. hls4ml takes the type of the sum, whose upper bits alone index the
table: all classes then get the same probability. A type that wraps would make the largest logit
the smallest."""
_LEFT_OUT = frozenset(
    {"hls4ml_config.yml", "keras_model.keras", "build_lib.sh", f"{NAME}_bridge.cpp"}
)
"""Files with a random stamp, the time or a path, and those that only g++ compiles."""
_LIBRARIES = frozenset({"ap_types", "ac_types", "ac_math", "ac_simutils"})
"""Folders with the vendors' own headers, which their tools bring along."""
_SPREAD = frozenset({"Vitis", "Vivado"})
"""Back ends for which hls4ml makes adders of constant multiplications."""


def write(network: Any, job: dict[str, Any], place: Path) -> Any:
    """Write the project into a folder, and return hls4ml's graph of it.

    Args:
        network: of Keras 3.
        job: as the worker gets it.
        place: the folder.

    Raises:
        Refusal: hls4ml does not take the network.
    """
    try:
        graph = _convert(network, job, place)
        graph.write()
    except Exception as error:  # hls4ml raises what it comes across
        said = str(error).strip().splitlines()
        raise Refusal(f"hls4ml: {said[0] if said else type(error).__name__}", _HINT) from error
    return graph


_HINT = "replace the layer, choose another `backend` or `io`, or use another target for this model"


def _convert(network: Any, job: dict[str, Any], place: Path) -> Any:
    import hls4ml

    correct()
    backend = job["backend"]
    weights = {} if backend in ("Quartus", "Catapult") else {"write_weights_txt": False}
    return hls4ml.converters.convert_from_keras_model(
        network,
        hls_config=_exact(job) if job["exact"] else _rounded(network, job),
        backend=backend,
        output_dir=str(place),
        project_name=NAME,
        io_type=f"io_{job['io']}",
        part=job["part"],
        clock_period=job["clock_ns"],
        **weights,
    )


def _exact(job: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a network that has its own types, of which nothing is lost."""
    spread = job["backend"] in _SPREAD and job["reuse_factor"] == 1
    model = {
        "Precision": "fixed<1,0>",  # of what has no type of its own: nothing
        "ReuseFactor": job["reuse_factor"],
        "Strategy": "distributed_arithmetic" if spread else _strategy(job),
    }
    return {"Model": model}


def _strategy(job: dict[str, Any]) -> str:
    return "Latency" if job["reuse_factor"] == 1 else "Resource"


def _rounded(network: Any, job: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a network in float, which is rounded to one type."""
    import hls4ml

    config: dict[str, Any] = hls4ml.utils.config_from_keras_model(
        network,
        granularity="name",
        backend=job["backend"],
        default_precision=job["precision"],
        default_reuse_factor=job["reuse_factor"],
    )
    config["Model"]["Strategy"] = _strategy(job)
    layers = hls4ml.converters.parse_keras_v3_model(network)[0]
    for softmax, before in _softmaxes(layers):
        config["LayerName"][softmax]["TableSize"] = TABLE_SIZE
        config["LayerName"][before]["Precision"]["result"] = _logits(job["precision"])
    return config


def _softmaxes(layers: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the names of each softmax and of the layer that it reads."""
    for layer in layers:
        if layer["class_name"] == "Softmax" or layer.get("activation") == "softmax":
            yield layer["name"], layer["inputs"][0]


def _logits(precision: str) -> str:
    """Return the type of what a softmax reads, as wide as all others."""
    width, integer = precision.partition("<")[2].rstrip(">").split(",")[:2]
    return LOGITS.format(width.strip(), integer.strip())


def keep(place: Path, out: Path) -> None:
    """Copy to `out` what the vendor's tool reads; all of it is the same each time."""
    for path in sorted(place.rglob("*")):
        inside = path.relative_to(place)
        if path.is_file() and _is_kept(inside):
            (out / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / inside)


def _is_kept(inside: Path) -> bool:
    return not (inside.name in _LEFT_OUT or _LIBRARIES & set(inside.parts))
