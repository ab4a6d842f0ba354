"""What the compiler for the Edge TPU leaves on the CPU, and why: seen without the compiler."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from edgeflow.targets.base import Lint
from edgeflow.targets.edgetpu.cache import cache_estimate
from edgeflow.targets.edgetpu.options import EdgeTPUOptions
from edgeflow.targets.edgetpu.partition import partition
from edgeflow.targets.edgetpu.rules import refusal
from edgeflow.targets.edgetpu.whole import whole_refusal
from edgeflow.targets.graph import Graph
from edgeflow.targets.lint import by_name, operators_of, place_of
from edgeflow.targets.reading import read_graph


def findings(model: Path, options: EdgeTPUOptions) -> list[Lint]:
    """Return what is said of a .tflite; nothing of a file that is none."""
    graph = read_graph(model)
    if graph is None:
        return by_name(operators_of(model), "warning", "the file is damaged: export it again")
    reasons = unmapped(graph, options)
    return [*_grouped(graph, reasons), *_notes(graph, reasons)]


def unmapped(graph: Graph, options: EdgeTPUOptions) -> dict[int, str]:
    """Return why operators stay on the CPU, by their indices."""
    runtime = options.min_runtime_version
    refused = {
        node.index: reason for node in graph.nodes if (reason := refusal(graph, node, runtime))
    }
    whole, cause = whole_refusal(graph)
    if whole:
        others = {index: reason for index, reason in refused.items() if index != cause}
        return {node.index: others.get(node.index, whole) for node in graph.nodes}
    if options.multiple_subgraphs:
        return refused
    parts = partition(graph, refused.keys())
    behind = {index: _behind(graph, index, cause) for index, cause in parts.behind.items()}
    return {**refused, **behind}


def _behind(graph: Graph, index: int, cause: int) -> str:
    if index == cause:
        return "waits for what no operator computes"
    return (
        f"stands behind operator {cause}, {graph.nodes[cause].name}, which stays on the CPU: the "
        "compiler maps the operators before that alone"
    )


def _grouped(graph: Graph, reasons: Mapping[int, str]) -> Iterator[Lint]:
    """Yield a finding for all operators of one name and one reason, in the order of the first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for index in sorted(reasons):
        groups.setdefault((graph.nodes[index].name, reasons[index]), []).append(index)
    for (name, reason), indices in groups.items():
        place = place_of(name, len(indices), graph.nodes[indices[0]].output)
        yield Lint(severity="warning", place=place, message=reason, operators=tuple(indices))


def _notes(graph: Graph, reasons: Mapping[int, str]) -> Iterator[Lint]:
    mapped = {node.index for node in graph.nodes} - reasons.keys()
    if mapped:
        yield Lint(severity="note", place="model", message=cache_estimate(graph, mapped))
    if {axis for index in graph.inputs for axis in graph.tensors[index].free} == {0}:
        yield Lint(
            severity="note",
            place="model",
            message="the file leaves the batch of its input open; the compiler takes it as 1",
        )
