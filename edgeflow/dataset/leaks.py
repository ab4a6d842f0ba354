"""Samples that are in two parts: what is tested, or chosen by, was learned."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from edgeflow.config.samples import Part
from edgeflow.dataset.base import Selection
from edgeflow.dataset.save import SavedPart

DISJOINT: tuple[Part, ...] = ("train", "validation", "test")
NAMED = 3


def leaks(parts: Mapping[Part, Selection], saved: Mapping[Part, SavedPart]) -> Iterator[str]:
    """Yield a line for each two parts that share samples, equal to the last byte."""
    for one, other in combinations(DISJOINT, 2):
        first: dict[bytes, int] = {}
        for position, digest in enumerate(saved[one].digests):
            first.setdefault(digest, position)
        found = [
            (first[digest], position)
            for position, digest in enumerate(saved[other].digests)
            if digest in first
        ]
        if found:
            pairs = [f"{parts[other].name(b)} as {parts[one].name(a)}" for a, b in found[:NAMED]]
            more = ", ..." if len(found) > NAMED else ""
            yield (
                f"{len(found)} of {len(saved[other].digests)} {other} samples are in {one} too, "
                f"so figures of {other} are too good: {'; '.join(pairs)}{more}"
            )
