"""The sections of a raw configuration, for checks that must not trip over mistakes in it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgeflow.config.finding import Finding, Keys, did_you_mean

Entry = Mapping[Any, Any]


def entries(raw: Entry, section: str) -> dict[str, Entry]:
    """Return the named entries of a section that are mappings."""
    found = raw.get(section)
    items = found.items() if isinstance(found, Mapping) else ()
    return {str(name): entry for name, entry in items if isinstance(entry, Mapping)}


def deployments(raw: Entry) -> Iterator[tuple[Keys, Entry, list[str]]]:
    """Yield keys, entry and devices of each deployment that is a mapping."""
    found = raw.get("deployments")
    for index, entry in enumerate(found if isinstance(found, list) else []):
        if isinstance(entry, Mapping):
            devices = entry.get("devices")
            keys: Keys = ("deployments", index)
            yield keys, entry, devices if isinstance(devices, list) else []


def missing(
    raw: Entry, section: str, name: object, keys: Keys, more: Iterable[str] = ()
) -> Iterator[Finding]:
    """Yield a finding if a section has no entry `name`; `more` are names that count too."""
    found = raw.get(section)
    if not isinstance(name, str) or not isinstance(found, Mapping):
        return
    known = [*more, *(str(key) for key in found)]
    if name not in known:
        message = f"no {section.removesuffix('s')} {name!r}"
        yield Finding(keys=keys, message=message, hint=did_you_mean(name, known))
