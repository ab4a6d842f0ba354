"""The prefix of the names of exported C, which is also that of its files."""

import re
from pathlib import Path

_LENGTH = 24
"""C99 promises 31 significant characters; the longest name adds seven, `_invoke`."""
_PATTERN = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_HEADERS = frozenset({
    "arduino", "assert", "complex", "ctype", "errno", "fenv", "float", "inttypes", "limits",
    "locale", "math", "setjmp", "signal", "stdarg", "stdatomic", "stdbool", "stddef", "stdint",
    "stdio", "stdlib", "string", "strings", "tgmath", "threads", "time", "unistd", "wchar",
    "wctype",
})  # fmt: skip
"""Headers that one of the same name would hide."""
_TARGETS = frozenset({"all", "clean", "help", "install", "package", "test"})
"""Names that CMake keeps for targets of its own."""


def refusal(name: str) -> str:
    """Return why a name cannot be the prefix; empty if it can."""
    if not _PATTERN.fullmatch(name):
        return (
            f"{name!r} is not of lower-case letters, digits and single underscores, a letter first"
        )
    if len(name) > _LENGTH:
        return f"{name!r} has {len(name)} characters, and C compilers may tell apart {_LENGTH}"
    if name in _HEADERS:
        return f"{name}.h would hide a header of C"
    if name in _TARGETS:
        return f"{name} is a target of CMake's own"
    return "nn is the prefix of the kernels" if name == "nn" else ""


def of_file(path: Path) -> str:
    """Return the prefix for a model file: its name, as far as C takes it."""
    words = re.findall(r"[a-z0-9]+", path.stem.lower())
    name = "_".join(words).lstrip("0123456789_")[:_LENGTH].rstrip("_")
    return "model" if refusal(name) else name
