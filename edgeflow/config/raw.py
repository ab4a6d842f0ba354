"""Parts of a raw configuration, as far as they have the shape that they should have."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.config.finding import Keys

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


def kind_of_device(raw: Entry, device: object) -> str:
    """Return the target kind of a device, or an empty text where a name misses."""
    for section, key in (("devices", "target"), ("targets", "kind")):
        entry = entries(raw, section).get(device) if isinstance(device, str) else None
        device = entry.get(key) if entry else None
    return device if isinstance(device, str) else ""
