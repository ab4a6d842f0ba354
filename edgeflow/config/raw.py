"""Parts of a raw configuration, as far as they have the shape that they should have."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from edgeflow.config.finding import Keys

Entry = Mapping[Any, Any]


class Raw(dict[Any, Any]):
    """A raw configuration that nobody changes, with what was found out about it once."""

    def __init__(self, raw: Entry) -> None:
        super().__init__(raw)
        self.known: dict[object, Any] = {}


_Look = TypeVar("_Look", bound=Callable[..., Any])


def once(look: _Look) -> _Look:
    """Let a function look through a `Raw` once, as it may be asked for each of many entries."""

    @functools.wraps(look)
    def ask(raw: Entry, *args: object) -> Any:
        if not isinstance(raw, Raw):
            return look(raw, *args)
        if (look, *args) not in raw.known:
            raw.known[look, *args] = look(raw, *args)
        return raw.known[look, *args]

    return cast("_Look", ask)


@once
def entries(raw: Entry, section: str) -> Mapping[str, Entry]:
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


def kind_of_device(raw: Entry, device: object) -> str:
    """Return the target kind of a device, or an empty text where a name misses."""
    for section, key in (("devices", "target"), ("targets", "kind")):
        entry = entries(raw, section).get(device) if isinstance(device, str) else None
        device = entry.get(key) if entry else None
    return device if isinstance(device, str) else ""
