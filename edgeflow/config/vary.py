"""Families: a model with `vary` stands for one plain model per combination of its values.

Works on raw values that nobody validated yet. What has not the shape of a family passes through
as it is, for the sections to complain about.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.model import VARY_PATTERN, Model
from edgeflow.paths import NAME_PATTERN

MEMBERS_MAX = 1000
"""Most members of one family: more is a slip, and would take minutes to plan."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One plain model of a family.

    Attributes:
        entry: the model without `vary`, this member's values filled in.
        family: the model as it was written.
        values: varied path to the index of this member's value in its list.
        variants: what names it within its family: the end of its name, and where one path alone
            is varied, its value there.
    """

    name: str
    entry: dict[str, Any]
    family: str
    values: Mapping[str, int]
    variants: tuple[str, ...]


def is_family(name: object, entry: object) -> bool:
    """Return whether a raw model has a `vary` that can be expanded."""
    vary = entry.get("vary") if isinstance(name, str) and isinstance(entry, Mapping) else None
    return isinstance(vary, Mapping) and all(
        isinstance(path, str) and isinstance(values, list) for path, values in vary.items()
    )


def members(family: str, entry: Mapping[str, Any]) -> Iterator[Member]:
    """Yield the members of a family in the order of its lists, the last path changing fastest."""
    axes = {path: values for path, values in entry["vary"].items() if _is_usable(path, values)}
    if math.prod(len(values) for values in axes.values()) > MEMBERS_MAX:
        axes = {}
    plain = {key: value for key, value in entry.items() if key != "vary"}
    for indices in itertools.product(*(range(len(values)) for values in axes.values())):
        values = dict(zip(axes, indices, strict=True))
        name, filled = family, plain
        for path, index in values.items():
            name += f"-{_label(path, axes[path][index])}"
            filled = _with(filled, path.split("."), axes[path][index])
        variants = [name.removeprefix(f"{family}-")]
        variants += [str(axes[path][index]) for path, index in values.items() if len(axes) == 1]
        yield Member(
            name=name, entry=filled, family=family, values=values, variants=tuple(variants)
        )


def problems(family: str, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with the `vary` of a family that its members would not show."""
    keys: Keys = ("models", family, "vary")
    for path, values in entry["vary"].items():
        yield from _of_path(path, (*keys, path))
        yield from _of_parents(path, entry, (*keys, path))
        yield from _of_values(values, (*keys, path))
    usable = [values for path, values in entry["vary"].items() if _is_usable(path, values)]
    count = math.prod(map(len, usable))
    if count > MEMBERS_MAX:
        yield Finding(keys=keys, message=f"stands for {count} models, more than {MEMBERS_MAX}")
    names = [family] if count > MEMBERS_MAX else [one.name for one in members(family, entry)]
    longest = max(names, key=len, default=family)
    if re.fullmatch(NAME_PATTERN, family) and not re.fullmatch(NAME_PATTERN, longest):
        message = f"the name of its member {longest!r} is longer than 63"
        yield Finding(keys=keys[:2], message=message, hint="shorten it")


def _of_path(path: str, keys: Keys) -> Iterator[Finding]:
    known = set(Model.model_fields) - {"vary"}
    head = path.partition(".")[0]
    if head not in known or not re.fullmatch(VARY_PATTERN, path):
        hint = did_you_mean(head, known) if "." in path else "as in architecture.width"
        yield Finding(keys=keys, message="not a path below the model", hint=hint)


def _of_parents(path: str, entry: Any, keys: Keys) -> Iterator[Finding]:
    *parents, _ = path.split(".")
    for parent in parents:
        entry = entry.get(parent, {})
        if not isinstance(entry, Mapping):
            yield Finding(keys=keys, message=f"nothing can be set below {parent}: {entry!r}")
            return


def _of_values(values: list[Any], keys: Keys) -> Iterator[Finding]:
    if not values:
        yield Finding(keys=keys, message="an empty list leaves no model", hint="drop the key")
    labels: dict[str, int] = {}
    for index, value in enumerate(values):
        here = (*keys, index)
        if isinstance(value, Mapping):
            yield Finding(keys=here, message="a mapping makes no name", hint="vary its keys")
        elif labels.setdefault(_slug(value), index) != index:
            first = values[labels[_slug(value)]]
            yield Finding(keys=here, message=f"{value!r} makes the same name as {first!r}")


def _is_usable(path: str, values: list[Any]) -> bool:
    return not any(itertools.chain(_of_path(path, ()), _of_values(values, ())))


def _label(path: str, value: object) -> str:
    """Return a part of a member's name: ``width8``, ``schedule_cosine``."""
    slug = _slug(value)
    return path.rpartition(".")[2].lower() + ("" if slug[:1].isdigit() else "_") + slug


def _slug(value: object) -> str:
    text = "_".join(map(str, value)) if isinstance(value, list) else str(value)
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())


def _with(entry: Mapping[str, Any], path: list[str], value: object) -> dict[str, Any]:
    """Return a copy with a value set; what is no mapping on the way there stays as it is."""
    key, *rest = path
    inner = entry.get(key, {})
    if not rest:
        return {**entry, key: value}
    return {**entry, key: _with(inner, rest, value) if isinstance(inner, Mapping) else inner}
