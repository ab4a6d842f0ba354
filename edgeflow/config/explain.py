"""Turns pydantic's errors into findings: one per mistake, with what was expected."""

import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from edgeflow.config.base import NAME_RULE
from edgeflow.config.finding import UNKNOWN_KEY, Finding, Keys, closest, did_you_mean
from edgeflow.config.place import Place, find_place
from edgeflow.text import reason, without_secrets

_Entry = Mapping[str, Any]
_ABSENT = ("missing", "union_tag_not_found")


def explain(error: ValidationError, root: type[BaseModel], value: object) -> list[Finding]:
    """Return one finding for each mistake that a validation error speaks of.

    Args:
        error: what pydantic raised.
        root: the model it validated.
        value: what it was given.
    """
    found: dict[Keys, Finding] = {}
    # To pydantic a slip in a required key is two errors: one missing, one unknown. The missing
    # one comes first here, as it knows which key was meant; the other has the same keys.
    for entry in sorted(error.errors(), key=lambda entry: entry["type"] not in _ABSENT):
        place = find_place(entry["loc"], root, value)
        parent = find_place(entry["loc"][:-1], root, value)
        finding = _KINDS.get(entry["type"], _wrong)(entry, place, parent)
        before = found.setdefault(finding.keys, finding)
        if before.message not in (finding.message, UNKNOWN_KEY):  # members of an untagged union
            message = f"{before.message}; or: {finding.message}"
            found[finding.keys] = Finding(keys=finding.keys, message=message, hint=before.hint)
    return list(found.values())


def _missing(entry: _Entry, place: Place, parent: Place) -> Finding:
    return _absent(entry["input"], parent, str(place.keys[-1]), place.description)


def _untagged(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    key = entry["ctx"]["discriminator"].strip("'")
    return _absent(entry["input"], place, key, f"one of: {', '.join(place.tags(key))}")


def _absent(given: object, parent: Place, key: str, hint: str) -> Finding:
    """Return the finding for a required key that is not there, or for the slip in it."""
    words = [word for word in given if isinstance(word, str)] if isinstance(given, dict) else []
    slip = closest(key, set(words) - parent.fields)
    if slip:
        return Finding(
            keys=(*parent.keys, slip), message=UNKNOWN_KEY, hint=f"did you mean {key!r}?"
        )
    return Finding(keys=(*parent.keys, key), message="required, but not there", hint=hint)


def _bad_tag(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    key, tag = entry["ctx"]["discriminator"].strip("'"), entry["ctx"]["tag"]
    hint = did_you_mean(tag, place.tags(key))
    return Finding(keys=(*place.keys, key), message=f"no such {key}: {tag!r}", hint=hint)


def _unknown(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    hint = did_you_mean(str(place.keys[-1]), parent.fields)
    return Finding(keys=place.keys, message=UNKNOWN_KEY, hint=hint)


def _form(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    if entry["loc"][-1] == "[key]":
        return Finding(keys=place.keys, message="not a name", hint=NAME_RULE)
    message = f"{_shown(entry['input'])} has the wrong form"
    return Finding(keys=place.keys, message=message, hint=" ".join(place.description.split()))


def _choice(entry: _Entry, place: Place, parent: Place) -> Finding:
    close = closest(str(entry["input"]), place.choices)
    hint = f"did you mean {close!r}?" if close else ""
    return Finding(keys=place.keys, message=_wrong(entry, place, parent).message, hint=hint)


def _no_mapping(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    keys = f"its keys: {', '.join(sorted(place.fields))}" if place.fields else ""
    hint = "write {} for an empty one" if entry["input"] is None else keys
    message = f"expected a mapping, got {_shown(entry['input'])}"
    return Finding(keys=place.keys, message=message, hint=hint)


def _no_number(entry: _Entry, place: Place, parent: Place) -> Finding:
    quoted = isinstance(entry["input"], str) and _is_number(entry["input"])
    # Tools that read YAML 1.1, Snakemake among them, take 1e-3 for text.
    hint = "write it without quotes, and with a dot, as in 1.0e-3" if quoted else ""
    return Finding(keys=place.keys, message=_wrong(entry, place, parent).message, hint=hint)


def _wrong(entry: _Entry, place: Place, parent: Place) -> Finding:  # noqa: ARG001
    message = re.sub(r"^\w+ should (be|have)", "expected", entry["msg"])
    message = reason(message).partition(" after validation")[0]
    got = f", got {_shown(entry['input'])}" if message.startswith("expected") else ""
    return Finding(keys=place.keys, message=message + got)


_KINDS: dict[str, Callable[[_Entry, Place, Place], Finding]] = {
    "missing": _missing,
    "union_tag_not_found": _untagged,
    "union_tag_invalid": _bad_tag,
    "extra_forbidden": _unknown,
    "string_pattern_mismatch": _form,
    "literal_error": _choice,
    "int_type": _no_number,
    "float_type": _no_number,
    **dict.fromkeys(("model_type", "dict_type", "model_attributes_type"), _no_mapping),
}


def _shown(value: object) -> str:
    """Return a short form of a value for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return reprlib.repr(without_secrets(value) if isinstance(value, str) else value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
