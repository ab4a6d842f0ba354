"""How much of the parameters stays on the chip: an estimate."""

from collections.abc import Collection

from edgeflow.targets.graph import Graph

CACHE_BYTES = int(7.8 * 2**20)
"""Of the 8 MiB on the chip, what is left for parameters beside the program: published logs show 6
to 7.9 MiB, the less the more operators there are."""
_ITEM_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "int32": 4}


def parameter_bytes(graph: Graph, mapped: Collection[int]) -> int:
    """Return the size of the constants of operators, each counted once."""
    used = {index for place in mapped for index in graph.nodes[place].inputs if index >= 0}
    constants = [graph.tensors[index] for index in used if graph.tensors[index].constant]
    return sum(one.size * _ITEM_BYTES.get(one.dtype, 4) for one in constants if one.scales)


def cache_estimate(graph: Graph, mapped: Collection[int]) -> str:
    """Return in a sentence where the parameters will lie."""
    size = parameter_bytes(graph, mapped)
    over = size - CACHE_BYTES
    told = f"{_size(over)} are sent anew for each inference" if over > 0 else "all stay on the chip"
    return (
        f"parameters for the Edge TPU take {_size(size)}, and about {_size(CACHE_BYTES)} fit on "
        f"the chip: {told} (an estimate)"
    )


def _size(size_bytes: int) -> str:
    small = size_bytes < 2**20
    return f"{size_bytes / 2**10:,.1f} KiB" if small else f"{size_bytes / 2**20:,.1f} MiB"
