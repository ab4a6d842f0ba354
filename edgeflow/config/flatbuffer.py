"""Flatbuffers of unknown origin, read in time and memory that their size cannot blow up.

In a flatbuffer many tables may refer to one vector: a file of 10 kB can describe a million tensors
with names of 5 kB each. So what is read is counted.
"""

import mmap
from pathlib import Path

MAX_ELEMENTS = 500_000
"""Elements of vectors; the largest language models have some 100,000."""


class TooMuch(ValueError):
    """A file describes more than it can hold, or than any network has."""


class Budget:
    """Counts the elements and the text that are read of a file."""

    def __init__(self, size_bytes: int) -> None:
        self._elements = MAX_ELEMENTS
        self._text_bytes = 4 * size_bytes  # equal names may share their bytes

    def length(self, count: int) -> range:
        """Return the indices of a vector.

        Raises:
            TooMuch: it is longer than what may still be read.
        """
        self._elements -= count
        if self._elements < 0:
            raise TooMuch("its vectors are longer than those of any network")
        return range(count)

    def text(self, value: bytes | None) -> str:
        """Return a string, empty where it is absent.

        Raises:
            TooMuch: the strings are together longer than the file could hold.
            UnicodeDecodeError: it is no text.
        """
        self._text_bytes -= len(value or b"")
        if self._text_bytes < 0:
            raise TooMuch("its strings are longer than the file")
        return (value or b"").decode()


def mapped(path: Path) -> mmap.mmap | bytes:
    """Return a file's bytes, of which only those are in memory that are looked at.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # it is empty
            return b""
