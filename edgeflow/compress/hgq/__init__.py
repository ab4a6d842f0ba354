"""High-granularity quantization: fixed point for FPGAs, with bits of its own for each number.

The training lowers the bits of each weight and activation where that costs little, and weights
with none are gone. Source: Sun et al., "HGQ: High Granularity Quantization for Real-time Neural
Networks on FPGAs", arXiv 2405.00645; HGQ2 is its authors' library.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.compress.hgq import hgq_worker
from edgeflow.compress.hgq.read import read_graph
from edgeflow.compress.network import Network
from edgeflow.compress.tuner import settings
from edgeflow.config.recipe import Hgq
from edgeflow.dataset.view import DatasetView
from edgeflow.tasks.registry import task_of
from edgeflow.toolchain.environment import python_of
from edgeflow.toolchain.fpga import environment
from edgeflow.worker import run_worker

NETWORK_FILE = "model.keras"
"""The network in layers of HGQ2, for Keras 3."""
_MADE = "model.tflite"
_OF_KERAS_2 = ("fn", "name", "reduction")
"""Options of losses that have other values in Keras 3."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FixedPoint:
    """What comes of a network.

    Attributes:
        network: `NETWORK_FILE`.
        model: a float32 .tflite that computes what the network does, bit for bit.
        facts: of the training, for the manifest.
    """

    network: Path
    model: bytes
    facts: dict[str, object]


def apply(network: Network, stage: Hgq, out: Path) -> FixedPoint:
    """Train the network on in fixed point; its file goes into the folder `out`.

    Raises:
        CompileError: the training diverged, or float32 cannot hold what the network sums up.
        MissingToolError: the environment of HGQ2 cannot be built.
    """
    graph = read_graph(network.keras, network.model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _hand_over(network.dataset, graph.weights(), folder)
        job = {
            "graph": graph.described(),
            "outputs": graph.outputs,
            "inputs": len(network.dataset.tensors("train").arrays),
            **_training(network),
            **stage.model_dump(mode="json"),
        }
        facts = run_worker(
            hgq_worker.__name__,
            job,
            folder,
            title=f"{network.title}, quantize: hgq",
            hint="use a recipe with another `quantize`, or a network of fewer kinds of layers",
            python=python_of(environment(), "HGQ2"),
        )
        (folder / NETWORK_FILE).replace(out / NETWORK_FILE)
        model = (folder / _MADE).read_bytes()
    return FixedPoint(network=out / NETWORK_FILE, model=model, facts=facts)


def _hand_over(dataset: DatasetView, weights: Mapping[str, Any], folder: Path) -> None:
    """Write what the worker reads."""
    import numpy as np

    np.savez(folder / "weights.npz", **weights)
    for part in ("train", "validation"):
        for place, array in enumerate(dataset.tensors(part).arrays.values()):
            np.save(folder / f"{part}_x{place}.npy", array)
    np.save(folder / "train_y.npy", dataset.truth("train"))


def _training(network: Network) -> dict[str, Any]:
    """Return the model's own training settings and the task's loss, for the worker."""
    train = settings(network)
    task, sample = task_of(network.dataset.facts), object()
    loss = task.loss(network.keras)
    config = loss.get_config()
    return {
        "loss": {
            "class": type(loss).__name__,
            "config": {key: config[key] for key in config if key not in _OF_KERAS_2},
        },
        "target": "input" if task.target(sample, None) is sample else "truth",
        "seed": train.seed,
        "threads": train.threads,
        "deterministic": train.deterministic,
        "batch_size": train.batch_size,
        "shift": train.augment.shift,
        "flip": train.augment.flip,
    }
