"""Files that stand for others: what Git leaves where the large ones were not fetched."""

from pathlib import Path

_STARTS = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer: run `git lfs pull`",
    b"/annex/objects/": "a git-annex pointer: run `git annex get`",
}
_LARGEST_BYTES = 1024
"""Git LFS takes nothing larger for a pointer: its specification, v1."""


def pointer(path: Path) -> str:
    """Return what a file is a pointer of and what fetches the file itself; empty for any other."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_BYTES:
            return ""
        with path.open("rb") as file:
            start = file.read(max(map(len, _STARTS)))
    except OSError:
        return ""  # who needs the file says what is wrong
    return next((what for mark, what in _STARTS.items() if start.startswith(mark)), "")
