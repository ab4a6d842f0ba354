"""Finds what a pydantic error location stands for: keys of the file, and the expected type."""

import types
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from edgeflow.config.docstrings import descriptions
from edgeflow.config.finding import Keys


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A spot in a configuration.

    Attributes:
        keys: the keys as written in the file, without pydantic's union tags.
        expected: type of the value there; None where there is none.
        description: what the reference says of the key.
    """

    keys: Keys
    expected: Any
    description: str = ""

    @property
    def fields(self) -> set[str]:
        """The keys that a mapping in this place may have."""
        return {name for member in _members(self.expected) for name in _fields(member)}

    @property
    def choices(self) -> list[str]:
        """The words that may stand in this place."""
        return [word for word in get_args(_bare(self.expected)) if isinstance(word, str)]

    def tags(self, key: str) -> list[str]:
        """Return the words that `key` may have, over all members of a union."""
        fields = [_fields(member).get(key) for member in _members(self.expected)]
        return [word for field in fields if field for word in get_args(field.annotation)]


def find_place(location: tuple[int | str, ...], root: Any, value: object) -> Place:
    """Return the place of a pydantic error.

    Args:
        location: pydantic's `loc`.
        root: the type that was validated.
        value: the value that was validated.
    """
    place = Place(keys=(), expected=root)
    for part in location:
        members = _members(place.expected)
        if len(members) > 1:  # the part is the tag that told the members apart
            chosen = next((member for member in members if part in _tags(member)), None)
            place = Place(keys=place.keys, expected=chosen)
        elif _has(value, part) or (members and part != "[key]"):  # pydantic marks a bad key so
            keys = (*place.keys, part)
            place = Place(keys=keys, **_inside(_bare(place.expected), part))
            value = _get(value, part)
    return place


def _bare(annotation: Any) -> Any:
    """Remove `Annotated` and `| None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = [member for member in get_args(annotation) if member is not types.NoneType]
    if get_origin(annotation) in (Union, types.UnionType) and len(members) == 1:
        return _bare(members[0])
    return annotation


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, or the type itself, or nothing for no type."""
    annotation = _bare(annotation)
    if get_origin(annotation) in (Union, types.UnionType):
        return [_bare(member) for member in get_args(annotation)]
    return [] if annotation is None else [annotation]


def _fields(model: Any) -> dict[str, Any]:
    return getattr(model, "model_fields", {})


def _tags(model: Any) -> set[object]:
    return {
        tag
        for field in _fields(model).values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    }


def _inside(annotation: Any, part: int | str) -> dict[str, Any]:
    """Return type and description of what stands below `part`."""
    if get_origin(annotation) in (dict, list, tuple):
        return {"expected": get_args(annotation)[-1 if get_args(annotation)[-1] is not ... else 0]}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        if field:
            text = field.description or descriptions(annotation).get(str(part), "")
            return {"expected": field.annotation, "description": text}
    return {"expected": None}


def _has(value: object, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _get(value: Any, part: int | str) -> object:
    return value[part] if _has(value, part) else None
