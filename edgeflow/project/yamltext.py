"""Values as YAML that a person would write."""

import json
import re
from collections.abc import Iterable, Mapping

from edgeflow.config.yaml12 import read

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
    lines = [f"  {key}: {flow(value)}" for key, value in values.items()]
    told = [f" # {comments[key]}" if key in comments else "" for key in values]
    return "\n".join([f"{name}:", *map("".join, zip(lines, told, strict=True))])


def comment(lines: Iterable[str]) -> str:
    """Return lines as comments, each with its end."""
    return "".join(f"# {line}\n" for line in lines)
