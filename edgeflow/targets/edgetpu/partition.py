"""Which operators the compiler puts into its one part for the Edge TPU."""

from collections import defaultdict, deque
from collections.abc import Collection
from dataclasses import dataclass, field

from edgeflow.targets.graph import Graph


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """What becomes of the operators that could be mapped, by their indices.

    Attributes:
        taken: those that are.
        behind: those that are not, each with the first operator on the CPU that it waits for.
    """

    taken: frozenset[int]
    behind: dict[int, int]


@dataclass(slots=True)
class _Run:
    """A run through a graph, of operators as they become ready.

    Attributes:
        refused: operators that cannot be mapped.
        waits: number of tensors that an operator still waits for.
        readers: operators by the tensor that they wait for.
        ready: queues of those that wait for nothing, of each kind: refused or not.
        cause: the first refused operator behind which one stands.
    """

    graph: Graph
    refused: Collection[int]
    waits: list[int] = field(default_factory=list)
    readers: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    ready: dict[bool, deque[int]] = field(default_factory=lambda: {False: deque(), True: deque()})
    cause: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = {tensor for node in self.graph.nodes for tensor in node.outputs}
        for place, node in enumerate(self.graph.nodes):
            needed = {*node.inputs} & made
            self.waits.append(len(needed))
            for tensor in needed:
                self.readers[tensor].append(place)
            if not needed:
                self.ready[place in self.refused].append(place)

    def drain(self, kind: bool) -> set[int]:
        """Run all operators of a kind that are ready, or become so; return them."""
        queue, ran = self.ready[kind], set()
        while queue:
            place = queue.popleft()
            ran.add(place)
            for tensor in self.graph.nodes[place].outputs:
                for reader in self.readers.pop(tensor, ()):
                    self._served(place, reader)
        return ran

    def _served(self, place: int, reader: int) -> None:
        own = [place] if place in self.refused else []
        if blamed := [*own, *(self.cause[one] for one in (place, reader) if one in self.cause)]:
            self.cause[reader] = min(blamed)
        self.waits[reader] -= 1
        if not self.waits[reader]:
            self.ready[reader in self.refused].append(reader)


def partition(graph: Graph, refused: Collection[int]) -> Partition:
    """Return what the compiler maps of the operators that it could map.

    The compiler is a delegate of TensorFlow Lite, which cuts a graph into parts of operators that
    are taken and parts of operators that are not, in turns; each part has all of its kind that is
    ready by then, and the first is of the kind of the first operator that is ready
    (`PartitionGraphIntoIndependentNodeSubsets` in tensorflow/lite/graph_info.cc). Of the parts that
    could be mapped, the compiler takes the first, even where later ones are larger.

    Args:
        graph: with the operators in the order in which they run.
        refused: indices of operators that cannot be mapped.
    """
    run = _Run(graph=graph, refused=refused)
    starts = [*run.ready[False], *run.ready[True]]
    if starts and min(starts) in refused:
        run.drain(True)
        run.cause.clear()  # what these made is there before the Edge TPU starts
    taken = run.drain(False)
    while any(run.ready.values()):
        run.drain(True)
        run.drain(False)
    others = {node.index for node in graph.nodes} - taken - {*refused}
    return Partition(
        taken=frozenset(taken), behind={place: run.cause.get(place, place) for place in others}
    )
