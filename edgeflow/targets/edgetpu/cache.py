"""How much of the parameters stays on the chip: an estimate."""

from collections.abc import Collection

from edgeflow.targets.edgetpu.graph import Graph

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
    about = f"about {size / 2**20:,.2f} MiB of parameters are for the Edge TPU, which keeps "
    if size <= CACHE_BYTES:
        return f"{about}about {CACHE_BYTES / 2**20:.1f} MiB: estimated to stay on the chip"
    over = (size - CACHE_BYTES) / 2**20
    return (
        f"{about}about {CACHE_BYTES / 2**20:.1f} MiB: an estimated {over:,.2f} MiB are sent anew "
        "for each inference"
    )
