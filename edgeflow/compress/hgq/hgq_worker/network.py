"""The network in layers of HGQ2 and Keras 3, with the weights that it was trained to in float."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hgq.layers
import keras
import numpy as np
from hgq.config import QuantizerConfig

FINE = 12
"""Bits behind the point, before the ranges of a layer's values are known."""


@dataclass(frozen=True)
class Network:
    """A network, and how its layers hang together.

    Attributes:
        model: of Keras 3.
        graph: see `build`.
        outputs: names of the layers that give the outputs.
    """

    model: Any
    graph: Sequence[Mapping[str, Any]]
    outputs: Sequence[str]

    def quantizers(self) -> "Iterator[tuple[Any, bool]]":
        """Yield the quantizers of activations, each with whether it reads an input as it is."""
        raw: set[str] = set()
        for node in self.graph:
            reads = [name in raw for name in node["inputs"]]
            if node["layer"] == "Input" or (node["layer"] in KEEPING and all(reads)):
                raw.add(node["name"])
            if node["layer"].startswith("Q"):
                iq = self.model.get_layer(node["name"]).iq
                several = list(iq) if node["layer"] in MERGING else [iq]
                yield from zip(several, reads, strict=True)

    def weighted(self) -> "Iterator[Any]":
        """Yield the layers with weights."""
        for node in self.graph:
            if node["weights"]:
                yield self.model.get_layer(node["name"])


KEEPING = ("Flatten", "Reshape")
"""Layers that only order values anew."""
MERGING = ("QAdd", "QSubtract", "QMultiply", "QMaximum", "QMinimum")


def build(job: Mapping[str, Any], weights: Path) -> Network:
    """Return the network.

    Args:
        job: its ``graph`` has for each layer the ``name``, the ``layer`` (a class of `hgq.layers`
            if it begins with Q, else of `keras.layers`), its ``options``, ``inputs`` (names of
            layers) and how many ``weights`` it has; its ``activations`` say whether each value has
            bits of its own.
        weights: kernels and biases, by the layer's name and their place.
    """
    tensors: dict[str, Any] = {}
    for node in job["graph"]:
        options = {**node["options"], "name": node["name"]}
        if node["layer"] == "Input":
            tensors[node["name"]] = keras.Input(options["shape"], name=node["name"])
            continue
        given = [tensors[name] for name in node["inputs"]]
        layer = _layer(node, options, job)
        tensors[node["name"]] = layer(given if len(given) > 1 else given[0])
    inputs = [tensors[node["name"]] for node in job["graph"] if node["layer"] == "Input"]
    outputs = [tensors[name] for name in job["outputs"]]
    model = keras.Model(inputs, outputs[0] if len(outputs) == 1 else outputs)
    network = Network(model, job["graph"], job["outputs"])
    _load(network, weights)
    return network


def _layer(node: Mapping[str, Any], options: dict[str, Any], job: Mapping[str, Any]) -> Any:
    kind = node["layer"]
    if not kind.startswith("Q"):
        return getattr(keras.layers, kind)(**options)
    options["beta0"] = job["beta"]
    options["iq_confs" if kind in MERGING else "iq_conf"] = _activations(job["activations"])
    if node["weights"]:
        options |= {"kq_conf": _weights(), "bq_conf": _weights()}
    return getattr(hgq.layers, kind)(**options)


def _activations(which: str) -> Any:
    shared = {"homogeneous_axis": None, "heterogeneous_axis": ()}
    more = shared if which == "per-tensor" else {}
    return QuantizerConfig("kif", "datalane", i0=FINE, f0=FINE, overflow_mode="WRAP", **more)


def _weights() -> Any:
    # Their integer bits follow from their values, so that what is small costs few bits.
    return QuantizerConfig("kif", "weight", i0=0, f0=FINE, overflow_mode="WRAP")


def _load(network: Network, path: Path) -> None:
    with np.load(path) as weights:
        for layer in network.weighted():
            layer.kernel.assign(weights[f"{layer.name}/0"])
            layer.bias.assign(weights[f"{layer.name}/1"])
