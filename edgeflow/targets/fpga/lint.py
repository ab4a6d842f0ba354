"""What the flow `rtl` says of a network before it is trained: whether it can be unrolled."""

from math import prod
from pathlib import Path

from edgeflow.targets.base import Lint, Severity
from edgeflow.targets.fpga.fpga_worker.rtl import COST_MAX
from edgeflow.targets.graph import Graph, Node
from edgeflow.targets.reading import read_graph

LUTS = 1, 8
"""LUTs of a multiplication, with few bits and with many, as da4ml counts."""


def findings(model: Path) -> list[Lint]:
    """Return what is to be said of a .tflite that may be too large; nothing of a small one."""
    graph = read_graph(model)
    count = sum(products(graph, node) for node in graph.nodes) if graph else 0
    least, most = (count * luts for luts in LUTS)
    if most <= COST_MAX:
        return []
    message = (
        f"unrolled, its {count:,} multiplications take about {least:,} to {most:,} LUTs, fewer "
        f"only where `hgq` leaves few weights, and `flow: rtl` refuses more than {COST_MAX:,}: "
        "narrow the network, prune its channels, or choose `flow: hls`"
    )
    severity: Severity = "warning" if least > COST_MAX else "note"
    return [Lint(severity=severity, place="the network", message=message)]


def products(graph: Graph, node: Node) -> int:
    """Return how often an operator multiplies by a weight for one sample."""
    kernel = graph.given(node, 1)
    shared = _SHARED.get(node.name)
    if kernel is None or shared is None or not kernel.shape:
        return 0
    return sum(one.size for one in graph.writes(node)) * prod(kernel.shape) // kernel.shape[shared]


_SHARED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": -1, "FULLY_CONNECTED": 0}
"""Axis of the weights along which the outputs of a place lie."""
