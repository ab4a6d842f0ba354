"""One thing wrong in a configuration, before its place in the file is known."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

Keys = tuple[int | str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is wrong below which keys of the file."""

    keys: Keys
    message: str
    hint: str = ""

    @property
    def path(self) -> str:
        """The keys with dots between them, as messages show them."""
        return ".".join(str(key) for key in self.keys)


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is probably a slip of, or None."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the closest known word, or all of them."""
    words = sorted(known)
    close = closest(word, words)
    if close:
        return f"did you mean {close!r}?"
    return f"there are: {', '.join(words)}" if words else "none are defined"
