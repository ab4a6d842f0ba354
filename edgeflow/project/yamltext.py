"""Values as YAML that a person would write."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from edgeflow.config.yaml12 import read
from edgeflow.text import excerpt

CALIBRATION = "samples that int8 takes its ranges from"
"""What stands behind `calibration`."""
WIDTH = 94
"""Columns of a line, from which on a mapping is broken up and a comment stands above."""
_PLAIN = re.compile(r"[\w./~][\w ./~+-]*[\w./~+-]|\w", re.ASCII)


def flow(value: object) -> str:
    """Return a value in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and read(text)[1] == text:
        return text
    return json.dumps(text, ensure_ascii=False)


def entry(name: str, values: Mapping[str, object], comments: Mapping[str, str]) -> str:
    """Return the lines of a named entry, a key in each, with comments behind them."""
    return "\n".join([f"{name}:", *_lines(values, comments)])


def _lines(values: Mapping[str, object], comments: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        told = comments.get(key, "")
        line = f"  {key}: {flow(value)}"
        if isinstance(value, Mapping) and len(line) > WIDTH:
            yield f"  {key}: # {told}" if told else f"  {key}:"
            yield from (f"  {each}" for each in _lines(value, {}))
        elif told and len(line) + len(told) > WIDTH:
            yield f"  # {told}"
            yield line
        else:
            yield f"{line} # {told}" if told else line


def comment(lines: Iterable[str]) -> str:
    """Return lines as comments, each with its end; what they name may hold any character."""
    return "".join(f"# {excerpt(line, 400)}\n" for line in lines)
