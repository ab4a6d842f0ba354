"""Sizes above which the compiler leaves operators on the CPU: drawn from published logs.

Its documentation says only that "certain reshapes might not be mapped for large tensor sizes", and
that resizing depends on the sizes. What networks of known sizes lost bounds each limit from above,
what they kept from below.
"""

from collections.abc import Iterator

from edgeflow.targets.graph import Graph, Node, Tensor

ROW_BYTES = 192 * 1024
"""Of a tensor whose values lie in one row, as the boxes or scores of a detector. Kept: LOGISTIC of
[1, 2034, 91] (SSDLite MobileDet). Lost: RESHAPE to [1, 2352, 85] (YOLOv5s, 224 pixels)."""
_ROWS = frozenset({"CONCATENATION", "LOGISTIC", "RESHAPE", "TANH"})

TRANSPOSED_BYTES = 128 * 1024
"""Of what a TRANSPOSE moves. Kept: [1, 196, 3, 85]. Lost: [1, 784, 3, 85] (both YOLOv5s, 224
pixels), [1, 3, 224, 224]."""

RESIZED_BYTES = 2 * 1024**2
"""Of what a resize writes. Kept: [1, 128, 128, 32]. Lost: [1, 512, 512, 32]."""

AVERAGED_VALUES = 16 * 1024
"""That a MEAN or SUM takes for each value that it writes. Kept: an image of 64 x 128. Lost: one of
256 x 128."""
_SUMS = frozenset({"MEAN", "SUM"})

SOFTMAX_ROW = 16
SOFTMAX_BYTES = 65 * 1024
"""Of a SOFTMAX of several rows, where the table of supported operations says one vector. Kept:
[1, 4, 1029, 16] (YOLOv8n, 224 pixels); no log with larger or longer ones is known."""

_ALIGNED = 4  # channels are stored in fours


def size_limit(graph: Graph, node: Node) -> Iterator[str]:
    """Yield why an operator is too large, if it is."""
    output = graph.writes(node)[0]
    if node.name in _ROWS and _row_bytes(output) > ROW_BYTES:
        yield f"writes {_size(output)} in one row; the limit is about {ROW_BYTES // 1024} KiB"
    if node.name == "TRANSPOSE" and output.size > TRANSPOSED_BYTES:
        yield f"moves {_size(output)}; the limit is about {TRANSPOSED_BYTES // 1024} KiB"
    if node.name.startswith("RESIZE_") and output.size > RESIZED_BYTES:
        yield f"writes {_size(output)}; the limit is about {RESIZED_BYTES // 1024**2} MiB"
    if node.name in _SUMS and (taken := _taken(graph, node)) > AVERAGED_VALUES:
        yield (
            f"adds up {taken:,} values of {list(graph.reads(node)[0].shape)} for each that it "
            f"writes; the limit is about {AVERAGED_VALUES:,}: split the image, or make it smaller "
            "before"
        )


def _taken(graph: Graph, node: Node) -> int:
    """Return how many values make one that is written."""
    return graph.reads(node)[0].size // max(1, graph.writes(node)[0].size)


def _row_bytes(tensor: Tensor) -> int:
    """Return the size of a tensor with one row; 0 of others, which can be cut."""
    *outer, width, depth = (1, 1, *tensor.shape)
    if width == 1 or any(size != 1 for size in outer):
        return 0
    return int(width) * (-(-depth // _ALIGNED) * _ALIGNED)


def _size(tensor: Tensor) -> str:
    return f"{list(tensor.shape)}, {tensor.size // 1024:,} KiB"
