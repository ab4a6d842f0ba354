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


def compiled_for(deployment: Entry) -> list[object]:
    """Return the targets that a deployment is only compiled for, as they are written."""
    targets = deployment.get("targets")
    return targets if isinstance(targets, list) else []


def targets_of(raw: Entry, deployment: Entry) -> list[str]:
    """Return the targets of a deployment, by its devices and without, as far as names stand."""
    devices, known = deployment.get("devices"), entries(raw, "devices")
    listed = [known.get(str(name), {}) for name in (devices if isinstance(devices, list) else [])]
    names = [*(entry.get("target") for entry in listed), *compiled_for(deployment)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def kind_of_target(raw: Entry, target: str) -> str:
    """Return the kind of a target, or an empty text where the name misses."""
    kind = entries(raw, "targets").get(target, {}).get("kind")
    return kind if isinstance(kind, str) else ""


def kinds_of(raw: Entry, deployment: Entry) -> set[str]:
    """Return the target kinds of a deployment."""
    return {kind_of_target(raw, target) for target in targets_of(raw, deployment)} - {""}


def kind_of_device(raw: Entry, device: object) -> str:
    """Return the target kind of a device, or an empty text where a name misses."""
    for section, key in (("devices", "target"), ("targets", "kind")):
        entry = entries(raw, section).get(device) if isinstance(device, str) else None
        device = entry.get(key) if entry else None
    return device if isinstance(device, str) else ""
