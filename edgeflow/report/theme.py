"""Colours of the page and of the plots, for a light and a dark surface."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Tone:
    """One colour of the palette; `name` is its CSS variable."""

    name: str
    light: str
    dark: str


INK = Tone(name="ink", light="#1c2128", dark="#e3e8ee")
MUTED = Tone(name="muted", light="#5b6570", dark="#97a3b0")
LINE = Tone(name="line", light="#d8dde3", dark="#323a44")
SURFACE = Tone(name="surface", light="#fffffe", dark="#171b21")

# Okabe and Ito's palette without black and yellow, and Tol's wine: told apart with any colour
# vision. The dark values are the same hues, lifted to keep 4.5:1 on the dark surface.
SERIES = (
    Tone(name="series-0", light="#0072b2", dark="#4da9e0"),
    Tone(name="series-1", light="#d55e00", dark="#f0813a"),
    Tone(name="series-2", light="#009e73", dark="#2fc498"),
    Tone(name="series-3", light="#cc79a7", dark="#e29bc2"),
    Tone(name="series-4", light="#e69f00", dark="#f2b733"),
    Tone(name="series-5", light="#56b4e9", dark="#8accf3"),
    Tone(name="series-6", light="#882255", dark="#c7679a"),
)

TONES = (
    INK,
    MUTED,
    LINE,
    SURFACE,
    Tone(name="page", light="#f6f7f9", dark="#0f1216"),
    Tone(name="pass", light="#1a6f3c", dark="#56c583"),
    Tone(name="fail", light="#b3261e", dark="#ff8a80"),
    *SERIES,
)


def series_index(names: Iterable[str]) -> dict[str, int]:
    """Return which of `SERIES` each name has everywhere in the report, by first appearance."""
    return {name: index % len(SERIES) for index, name in enumerate(dict.fromkeys(names))}
