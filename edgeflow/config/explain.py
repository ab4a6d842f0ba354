"""Turns pydantic's errors into findings: one per mistake, with what was expected."""

import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from edgeflow.config.base import NAME_RULE
from edgeflow.config.finding import Finding, closest, did_you_mean
from edgeflow.config.place import Place, find_place

_Entry = Mapping[str, Any]
_NOT_A_MAPPING = ("model_type", "dict_type", "model_attributes_type")


def explain(error: ValidationError, root: type[BaseModel], value: object) -> list[Finding]:
    """Return one finding for each mistake that a validation error speaks of.

    Args:
        error: what pydantic raised.
        root: the model it validated.
        value: what it was given.
    """
    found: dict[object, Finding] = {}
    # A slip in a required key is both missing and unknown to pydantic: missing comes first here,
    # as it knows which key was meant.
    entries = error.errors(include_url=False)
    for entry in sorted(entries, key=lambda entry: entry["type"] not in _ABSENT):
        place = find_place(entry["loc"], root, value)
        if entry["type"] in _ABSENT:
            finding = _absent(entry, place, find_place(entry["loc"][:-1], root, value))
        else:
            parent = find_place(entry["loc"][:-1], root, value)
            message, hint = _EXPLAIN.get(entry["type"], _wrong)(entry, place, parent)
            finding = Finding(keys=place.keys, message=message, hint=hint)
        before = found.setdefault(finding.keys, finding)
        if before.message not in (finding.message, _UNKNOWN):  # members of an untagged union
            message = f"{before.message}; or: {finding.message}"
            found[finding.keys] = Finding(keys=finding.keys, message=message, hint=before.hint)
    return list(found.values())


_ABSENT = ("missing", "union_tag_not_found")
_UNKNOWN = "unknown key"


def _absent(entry: _Entry, place: Place, parent: Place) -> Finding:
    """Return the finding for a required key, or for the slip in it."""
    if entry["type"] == "missing":
        key, hint = str(place.keys[-1]), place.description
    else:
        key, parent = _unquoted(entry["ctx"]["discriminator"])[0], place
        hint = f"one of: {', '.join(_tags(place, key))}"
    given = entry["input"] if isinstance(entry["input"], Mapping) else {}
    slips = [word for word in given if isinstance(word, str) and word not in parent.fields]
    slip = closest(key, slips)
    if slip:
        return Finding(
            keys=(*parent.keys, slip), message=_UNKNOWN, hint=did_you_mean(slip, [key])
        )
    return Finding(keys=(*parent.keys, key), message="required, but not there", hint=hint)
