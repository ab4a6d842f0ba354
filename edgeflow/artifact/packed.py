"""Entropy coding: what pruning and weight sharing save shows only in the packed form."""

from pathlib import Path

TOOLS = ("zstandard",)

LEVEL = 19
"""The best level whose window, which the device holds in memory, stays at 8 MiB."""


def packed(data: bytes) -> bytes:
    """Return `data` as one Zstandard frame that states its size; equal data give equal frames.

    It is the third stage of Han et al., Deep Compression (arXiv 1510.00149), after pruning and
    weight sharing; they use Huffman codes.
    """
    import zstandard

    return zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data)


def packed_size(data: bytes) -> int:
    """Return the size of `packed(data)` in bytes."""
    return len(packed(data))


def packed_path(path: Path) -> Path:
    """Return where the packed form of a file lies: beside it."""
    return path.with_name(f"{path.name}.zst")
