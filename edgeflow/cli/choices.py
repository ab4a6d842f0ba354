"""What a kind of target needs with each choice that its options list, such as each board."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edgeflow.cli.needs import Need, needs_with

if TYPE_CHECKING:
    from pydantic import BaseModel

    from edgeflow.targets.base import Target

State = Literal["ready", "partly", "missing", "options"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """What a kind needs with its usual options, and with each choice of an option.

    Attributes:
        needs: each thing once.
        state: ``ready``; ``partly`` where only some choices can be used here; ``missing`` where
            none can; ``options`` where that depends on options that must be given, and that list
            no values.
    """

    needs: tuple[Need, ...]
    state: State

    def missing(self) -> list[str]:
        """Return a line for each thing that is missing: for which choices, and what to do."""
        return [
            f"needs {need.what}{f' for {need.choices[0]}' if need.choices else ''}: {need.install}"
            for need in self.needs
            if need.found is None
        ]


def needs_of(target: "type[Target]") -> Needs:
    """Return what a kind of target needs, over all choices that its options list."""
    ways = _ways(target)
    if not ways:
        return Needs(needs=(), state="options")
    found = {label: list(needs_with(target, options)) for label, options in ways.items()}
    return Needs(needs=tuple(_merged(found)), state=state_of(list(found.values())))


def state_of(ways: Sequence[Sequence[Need]]) -> State:
    """Return how many of the ways to use a target can be gone here."""
    lacking = [any(need.found is None for need in needs) for needs in ways]
    return "ready" if not any(lacking) else "missing" if all(lacking) else "partly"


def required(target: "type[Target]") -> list[str]:
    """Return the options that must be given."""
    fields = target.Options.model_fields.items()
    return [name for name, field in fields if field.is_required() and name != "kind"]


def choices_of(target: "type[Target]") -> dict[str, list[Any]]:
    """Return the values that options list, or have as examples, by option."""
    schema = target.Options.model_json_schema()
    properties = {key: it for key, it in schema["properties"].items() if key != "kind"}
    found = {key: _listed(it, schema.get("$defs", {})) for key, it in properties.items()}
    return {key: values for key, values in found.items() if values}


def usual(target: "type[Target]") -> dict[str, Any]:
    """Return the first value of each option that must be given and that lists some."""
    choices = choices_of(target)
    return {key: choices[key][0] for key in required(target) if key in choices}


def _listed(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Any]:
    values = [*schema.get("enum", ()), *schema.get("examples", ())]
    values += [schema["const"]] if "const" in schema else []
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if "$ref" in schema:
        parts.append(definitions.get(schema["$ref"].rpartition("/")[2], {}))
    values += [value for part in parts for value in _listed(part, definitions)]
    return list(dict.fromkeys(value for value in values if value is not None))


def _ways(target: "type[Target]") -> "dict[str, BaseModel]":
    """Return valid options, by the one choice in which they differ from the usual ones."""
    from pydantic import ValidationError

    choices, needed = choices_of(target), required(target)
    if not choices.keys() >= set(needed):
        return {}
    given = {"kind": target.name, **usual(target)}
    ways: dict[str, BaseModel] = {"": target.Options.model_validate(given)}
    for key, values in choices.items():
        for value in values:
            try:
                ways[f"{key}: {value}"] = target.Options.model_validate({**given, key: value})
            except ValidationError:  # it goes with other choices alone
                continue
    return ways


def _merged(found: Mapping[str, Sequence[Need]]) -> Iterator[Need]:
    """Yield each need once, with the choices that have it where not all do."""
    for need in dict.fromkeys(need for needs in found.values() for need in needs):
        without = {label.partition(":")[0] for label, needs in found.items() if need not in needs}
        # Where one value of an option does without it, the others of that option are named.
        named = (label for label in found if label.partition(":")[0] in without)
        yield replace(need, choices=tuple(label for label in named if need in found[label]))
