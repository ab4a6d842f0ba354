"""Samples that are there twice: with equal bytes, or images that look alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from edgeflow.project.survey.finding import Finding, Level, about, counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Signature = NDArray[np.uint8]
    """An image in grey and small, (16, 16)."""

SIDE = 16
ALIKE = 2.0
"""Grey levels, of 255, by which two signatures may differ on average: JPEG's losses and resizing
change less, and different photographs differ by tens."""
FLAT = 4.0
"""Deviation of a signature, in grey levels, below which an image shows nothing to tell it by."""
NEXT = 8
"""How many others of a bucket each image is held against, so that the time is linear."""

AT_ONCE = 1000
"""Signatures that are computed with together, so that memory does not grow with their number."""

_Kind = Literal["parts", "classes", "class"]


@dataclass(kw_only=True, slots=True)
class Copies:
    """Finds copies among samples; memory is a digest, a name and a signature for each.

    Attributes:
        drawn: whether parts are drawn at random, so that copies get into several of them.
    """

    drawn: bool
    _names: list[str] = field(default_factory=list)
    _places: list[tuple[str, str]] = field(default_factory=list)
    _signatures: "list[Signature]" = field(default_factory=list)
    _first: dict[bytes, int] = field(default_factory=dict)
    _equal: list[tuple[int, int]] = field(default_factory=list)

    def add(
        self, name: str, part: str, label: str, digest: bytes, signature: "Signature | None"
    ) -> None:
        """Take a sample; signatures for all samples, or for none."""
        number = len(self._names)
        self._names.append(name)
        self._places.append((part, label))
        if signature is not None:
            self._signatures.append(signature)
        first = self._first.setdefault(digest, number)
        if first != number:
            self._equal.append((first, number))

    def findings(self) -> Iterator[Finding]:
        """Yield what is to be said of copies, and of images that look alike."""
        equal = ("sample is equal to one", "samples are equal to others")
        yield from self._told(self._equal, *equal)
        copies = {number for pair in self._equal for number in pair}
        alike = [pair for pair in self._alike() if not copies.issuperset(pair)]
        yield from self._told(alike, "image looks like one", "images look like others")

    def _told(self, pairs: Sequence[tuple[int, int]], one: str, many: str) -> Iterator[Finding]:
        sorts: dict[_Kind, list[tuple[int, int]]] = {"parts": [], "classes": [], "class": []}
        for pair in pairs:
            sorts[self._kind(*pair)].append(pair)
        for kind, found in sorts.items():
            if found:
                where, hint = self._meaning(kind)
                what = f"{counted(len({b for _, b in found}), one, many)} {where}"
                shown = [f"{self._names[b]} = {self._names[a]}" for a, b in found]
                pictures = [self._names[number] for pair in found for number in pair]
                level: Level = "note" if kind == "class" and not self.drawn else "warning"
                yield about(level, what, shown, hint, pictures)

    def _kind(self, one: int, other: int) -> _Kind:
        (part, label), (other_part, other_label) = self._places[one], self._places[other]
        if part != other_part:
            return "parts"
        return "class" if label == other_label else "classes"

    def _meaning(self, kind: _Kind) -> tuple[str, str]:
        if kind == "parts":
            return "of another part", "figures of the test set are too good: keep each in one part"
        if kind == "classes":
            return "of another class", "one of the two is in the wrong class: remove it"
        if self.drawn:
            hint = "parts are drawn at random, so copies get into train and test: keep one of each"
            return "of the same class", hint
        return "of the same class and part", "they count twice: keep one of each"

    def _alike(self) -> list[tuple[int, int]]:
        """Return pairs of images that look alike, the first of each pair the earlier one.

        Images with a quarter of their average hash in common are held against each other.
        """
        import numpy as np

        if not self._signatures:
            return []
        every = np.stack(self._signatures)
        starts = range(0, len(every), AT_ONCE)
        chunks = [_hashed(every[start : start + AT_ONCE]) for start in starts]
        shown = np.flatnonzero(np.concatenate([deviation >= FLAT for deviation, _ in chunks]))
        hashes = np.concatenate([hashes for _, hashes in chunks])[shown]
        small = every[shown]
        found: set[tuple[int, int]] = set()
        for band in range(hashes.shape[1]):
            order = np.argsort(hashes[:, band], kind="stable")
            for step in range(1, min(NEXT + 1, len(order))):
                one, other = order[:-step], order[step:]
                same = hashes[one, band] == hashes[other, band]
                one, other = one[same], other[same]
                near = _differences(small, one, other) <= ALIKE
                a, b = shown[one[near]].tolist(), shown[other[near]].tolist()
                found.update(zip(a, b, strict=True))
        return sorted((min(pair), max(pair)) for pair in found)


def _hashed(small: "NDArray[np.uint8]") -> "tuple[NDArray[np.float64], NDArray[np.uint16]]":
    """Return the deviation of signatures, and the average hash: 8x8 fields, (n, 4) of 16 bits.

    A bit of the hash says whether a field is lighter than the whole.
    """
    import numpy as np

    fields = small.reshape(-1, 8, 2, 8, 2).mean(axis=(2, 4)).reshape(-1, 64)
    bits = np.packbits(fields > fields.mean(axis=1, keepdims=True), axis=1)
    return small.reshape(len(small), -1).std(axis=1), bits.view(np.uint16)


def _differences(
    small: "NDArray[np.uint8]", one: "NDArray[np.int64]", other: "NDArray[np.int64]"
) -> "NDArray[np.float64]":
    """Return the mean difference of each pair, in grey levels."""
    import numpy as np

    starts = range(0, len(one), AT_ONCE)
    pairs = [(small[one[i : i + AT_ONCE]], small[other[i : i + AT_ONCE]]) for i in starts]
    means = [np.abs(a.astype(np.int16) - b).mean(axis=(1, 2)) for a, b in pairs]
    return np.concatenate([*means, np.empty(0)])


def signature(pixels: "NDArray[np.generic]") -> "Signature":
    """Return the signature of an image, uint8 (height, width, channels)."""
    import numpy as np
    from PIL import Image

    flat = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    grey = Image.fromarray(flat).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BOX))
