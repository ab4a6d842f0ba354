"""One thing wrong in a configuration, before its place in the file is known."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Keys = tuple[int | str, ...]
UNKNOWN_KEY = "unknown key"

_LISTED = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is wrong below which keys of the file, and the keys of the entry it is at odds with."""

    keys: Keys
    message: str
    hint: str = ""
    see: Keys = ()

    @property
    def path(self) -> str:
        """The keys with dots between them, as messages show them."""
        return dotted(self.keys)


def dotted(keys: Keys) -> str:
    """Return keys with dots between them."""
    return ".".join(str(key) for key in keys)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is probably a slip of, or None."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or all of them."""
    words = sorted(known)
    close = closest(word, words)
    if close:
        return f"did you mean {close!r}?"
    more = [f"{len(words) - _LISTED} more"] if len(words) > _LISTED else []
    return f"there are: {', '.join(words[:_LISTED] + more)}" if words else "none are defined"
