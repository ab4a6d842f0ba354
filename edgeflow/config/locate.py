"""Finds the place in the file, and the allowed keys, that a pydantic error speaks of."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from edgeflow.config.root import Config

Location = tuple[int | str, ...]


def _strip(annotation: Any) -> Any:
    """Remove `Annotated` and `| None`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    members = [member for member in get_args(annotation) if member is not types.NoneType]
    if get_origin(annotation) in (Union, types.UnionType) and len(members) == 1:
        return _strip(members[0])
    return annotation


def _tags(model: Any) -> set[object]:
    """Return the literals that a member of a discriminated union may be told by."""
    return {
        tag
        for field in getattr(model, "model_fields", {}).values()
        if get_origin(field.annotation) is Literal
        for tag in get_args(field.annotation)
    }


def _step(annotation: Any, part: int | str) -> tuple[Any, bool]:
    """Return the type one step further, and whether `part` is a key the user wrote."""
    annotation = _strip(annotation)
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        members = [_strip(member) for member in get_args(annotation)]
        return next((m for m in members if part in _tags(m)), None), False
    if origin in (dict, list):
        return get_args(annotation)[-1], True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(str(part))
        return (field.annotation if field else None), True
    return None, True


def _walk(location: Location) -> tuple[Any, list[str]]:
    annotation: Any = Config
    shown: list[str] = []
    for part in location:
        annotation, written = _step(annotation, part)
        if written and part != "[key]":  # pydantic's mark for a bad key of a mapping
            shown.append(str(part))
    return annotation, shown


def fields_at(location: Location) -> list[str]:
    """Return the keys allowed at a pydantic error location."""
    model = _strip(_walk(location)[0])
    return list(getattr(model, "model_fields", {}))


def shown_path(location: Location) -> str:
    """Return the dotted path of the file's keys, without pydantic's union tags."""
    return ".".join(_walk(location)[1]) or "config"


def line_of(text: str, path: str) -> int | None:
    """Return the 1-based line where the key, or its closest parent, stands in YAML `text`."""
    node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    line = None
    for part in path.split("."):
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == part), None)
        elif isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            pair = (node.value[int(part)],) * 2
        else:
            pair = None
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line
