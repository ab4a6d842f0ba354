"""From an int8 .tflite to C99 sources."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.cmsis import cmsis_files
from edgeflow.targets.mcu.emit import render
from edgeflow.targets.mcu.graph import Graph
from edgeflow.targets.mcu.layers import lower
from edgeflow.targets.mcu.layers.base import Layer, owners
from edgeflow.targets.mcu.memory import Plan, plan
from edgeflow.targets.mcu.reading import read_graph
from edgeflow.targets.mcu.settings import Settings
from edgeflow.targets.mcu.views import without_views


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerFigures:
    """What one layer takes.

    Attributes:
        name: of the tensor that it writes.
        operator: that it comes from.
        weights_bytes: of its constants, but those that it shares with a layer before it.
        scratch_bytes: of its working memory.
        live_bytes: of the arena that are in use while it runs.
        macs: multiplications with accumulation.
    """

    name: str
    operator: str
    weights_bytes: int
    scratch_bytes: int
    live_bytes: int
    macs: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Generated code, and what is known of it.

    Attributes:
        files: text by name.
        graph: that it computes.
        layers: in the order in which they run.
        plan: of the arena.
    """

    files: Mapping[str, str]
    graph: Graph
    layers: Sequence[Layer]
    plan: Plan

    @property
    def weights_bytes(self) -> int:
        """Bytes of all constants."""
        operands = {place for layer in self.layers for place in layer.reads}
        tensors = (self.graph.tensors[place].data for place in operands)
        return sum(layer.weights_bytes for layer in self.per_layer) + sum(
            data.nbytes for data in tensors if data is not None
        )

    @property
    def macs(self) -> int:
        """Multiplications with accumulation of one inference."""
        return sum(layer.macs for layer in self.layers)

    @property
    def io_bytes(self) -> int:
        """Bytes of the caller's buffers for inputs and outputs."""
        return sum(self.graph.tensors[p].size for p in (*self.graph.inputs, *self.graph.outputs))

    @property
    def ram_bytes(self) -> int:
        """Bytes of working memory and of the caller's buffers."""
        return self.plan.arena_bytes + self.io_bytes

    @property
    def per_layer(self) -> list[LayerFigures]:
        """What each layer takes, in the order in which they run."""
        return [
            LayerFigures(
                name=self.graph.tensors[layer.writes[-1]].name,
                operator=layer.node.operator,
                weights_bytes=layer.weights_bytes
                - sum(layer.arrays[name].nbytes for name, n in owner.items() if n < number),
                scratch_bytes=layer.scratch_bytes,
                live_bytes=self.plan.live_bytes(number),
                macs=layer.macs,
            )
            for number, (layer, owner) in enumerate(
                zip(self.layers, owners(self.layers), strict=True)
            )
        ]


def generate(
    model: bytes | Path, settings: Settings | None = None, labels: Sequence[str] = ()
) -> Sources:
    """Return the C sources of a network.

    Args:
        model: an int8 .tflite.
        settings: of the generator.
        labels: names of the classes, for `model.h`.

    Raises:
        CompileError: the file is damaged, has operators that no kernel takes, or has nothing to
            unroll in that mode.
        MissingToolError: `kernels: cmsis-nn`, and what carries its sources is not installed.
    """
    settings = settings or Settings()
    graph = read_graph(model)
    layers = without_views(graph, lower(graph, settings))
    if settings.mode == "unrolled" and not any(layer.unrolled for layer in layers):
        raise CompileError(
            "the network has no dense layer that could be unrolled",
            hint="choose the mode `specialized`",
        )
    outside = {*graph.inputs, *graph.outputs}
    used = {place for layer in layers for place in (*layer.reads, *layer.writes)}
    inside = {place for place in used - outside if graph.tensors[place].data is None}
    arena = plan(layers, {place: graph.tensors[place].size for place in inside})
    files = {
        **render(graph, layers, arena, settings, labels),
        **cmsis_files([layer.kernel for layer in layers], settings.name),
    }
    return Sources(files=files, graph=graph, layers=layers, plan=arena)
