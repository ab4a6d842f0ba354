"""What an export says of itself, in its README and for programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from edgeflow.targets.mcu.emit import ends
from edgeflow.targets.mcu.generate import Sources
from edgeflow.targets.mcu.settings import Settings

if TYPE_CHECKING:
    from edgeflow.targets.mcu.graph import Tensor


def facts(sources: Sources, settings: Settings) -> dict[str, Any]:
    """Return sizes, inputs and outputs, layers and the memory plan, in JSON form."""
    graph = sources.graph
    sides = ends(graph, settings.name)
    return {
        "settings": asdict(settings),
        "constants_bytes": sources.weights_bytes,
        "arena_bytes": sources.plan.arena_bytes,
        "input_bytes": sum(end["tensor"].size for end in sides if end["is_input"]),
        "output_bytes": sum(end["tensor"].size for end in sides if not end["is_input"]),
        "macs": sources.macs,
        "inputs": [_end(end) for end in sides if end["is_input"]],
        "outputs": [_end(end) for end in sides if not end["is_input"]],
        "layers": [
            {
                "operator": layer.node.operator,
                "name": graph.tensors[layer.writes[0]].name,
                "shape": list(graph.tensors[layer.writes[0]].shape),
                "macs": layer.macs,
                "constants_bytes": layer.weights_bytes,
            }
            for layer in sources.layers
        ],
        "memory": sorted(_memory(sources), key=lambda b: (b["first"], b["start"])),
    }


def _end(end: dict[str, Any]) -> dict[str, Any]:
    tensor: Tensor = end["tensor"]
    return {
        "argument": end["argument"],
        "macro": end["macro"],
        "name": tensor.name,
        "shape": list(tensor.shape),
        "scale": tensor.scale,
        "zero_point": tensor.zero_point,
    }


def _memory(sources: Sources) -> Iterator[dict[str, Any]]:
    """Yield the blocks of the arena: where each starts, and by which layers it is needed."""
    for (kind, number), block in sources.plan.blocks.items():
        tensor = sources.graph.tensors[number].name if kind == "tensor" else ""
        yield {
            "name": tensor or f"{kind} {number}",
            "start": sources.plan.starts[kind, number],
            **asdict(block),
        }
