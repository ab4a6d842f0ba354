"""Problems that no section shows alone: names that miss, pairs that do not fit.

Works on the raw values, so that a mistake elsewhere in an entry hides nothing here. What a
section reports itself (a wrong type, a missing key) is passed over in silence.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgeflow.config.device import FOLDERS
from edgeflow.config.exports import check_exports
from edgeflow.config.finding import Finding, Keys
from edgeflow.config.fit import recipe_references, unfit
from edgeflow.config.names import missing
from edgeflow.config.raw import Entry, compiled_for, deployments, entries, kind_of_device
from edgeflow.config.rolloutcheck import check_rollouts
from edgeflow.config.signing import check_trust
from edgeflow.config.target import broken_targets, runtime_of_entry, target_classes

_RESERVED = (
    ("recipes", frozenset({"baseline"}), "it names the model before any recipe"),
    ("models", FOLDERS, "edgeflow has a folder of that name of its own on devices"),
)


def cross_check(raw: Mapping[str, Any], families: Iterable[str] = ()) -> list[Finding]:
    """Return every problem between the sections of a raw configuration.

    Args:
        raw: the configuration, with plain models only.
        families: names that deployments may have used for several models.
    """
    return [
        *_references(raw, families),
        *_twice(raw),
        *_compiled_twice(raw),
        *unfit(raw),
        *recipe_references(raw),
        *_broken(raw),
        *_units(raw),
        *_ports(raw),
        *check_rollouts(raw),
        *check_exports(raw),
        *check_trust(raw),
        *[
            Finding(keys=(section, name), message=f"taken: {meaning}")
            for section, names, meaning in _RESERVED
            for name in sorted(names & entries(raw, section).keys())
        ],
    ]


def _references(raw: Entry, families: Iterable[str]) -> Iterator[Finding]:
    for name, entry in entries(raw, "models").items():
        yield from missing(raw, "datasets", entry.get("dataset"), ("models", name, "dataset"))
    hosts = {"compile_hosts": {}, **raw}  # a section that may be left out
    for name, entry in entries(raw, "targets").items():
        host = entry.get("compile_host")
        yield from missing(hosts, "compile_hosts", host, ("targets", name, "compile_host"))
    for name, entry in entries(raw, "devices").items():
        yield from missing(raw, "targets", entry.get("target"), ("devices", name, "target"))
    for keys, deployment, devices in deployments(raw):
        yield from missing(raw, "models", deployment.get("model"), (*keys, "model"), families)
        yield from missing(raw, "recipes", deployment.get("recipe"), (*keys, "recipe"))
        for position, device in enumerate(devices):
            yield from missing(raw, "devices", device, (*keys, "devices", position))
        for position, target in enumerate(compiled_for(deployment)):
            yield from missing(raw, "targets", target, (*keys, "targets", position))


def _twice(raw: Entry) -> Iterator[Finding]:
    first: dict[tuple[object, ...], tuple[str, Keys]] = {}
    for keys, deployment, devices in deployments(raw):
        model = deployment.get("model")
        for position, device in enumerate(devices):
            if not isinstance(model, str) or not isinstance(device, str):
                continue
            here = (*keys, "devices", position)
            other, before = first.setdefault((model, *_folder(raw, device)), (device, here))
            if before != here:
                same = "" if other == device else f", which is {other!r} by its host and path,"
                message = f"model {model!r} goes to device {device!r}{same} twice"
                hint = "a folder on a device holds one recipe of a model at a time"
                hint += "" if other == device else f"; give {device!r} a `path` of its own"
                yield Finding(keys=here, message=message, hint=hint, see=before)


def _compiled_twice(raw: Entry) -> Iterator[Finding]:
    first: dict[str, Keys] = {}
    for keys, deployment, _ in deployments(raw):
        for position, target in enumerate(compiled_for(deployment)):
            here: Keys = (*keys, "targets", position)
            what = repr((deployment.get("model"), deployment.get("recipe"), target))
            if (before := first.setdefault(what, here)) != here:
                message = f"it is compiled for target {target!r} without a device twice"
                yield Finding(keys=here, message=message, hint="name it once", see=before)


def _folder(raw: Entry, device: str) -> tuple[object, ...]:
    """Return what tells a folder on a device from all others: two devices may be one host."""
    entry = entries(raw, "devices").get(device, {})
    if not isinstance(entry.get("host"), str):
        return (device,)
    keys = {"host": "", "port": 22, "user": "", "path": "edgeflow"}
    return tuple(repr(entry.get(key, default)) for key, default in keys.items())


def _units(raw: Entry) -> Iterator[Finding]:
    """Yield units that are missing, and what is said of one that the target's engine knows not."""
    targets = target_classes()
    for name, entry in entries(raw, "devices").items():
        kind, unit = kind_of_device(raw, name), entry.get("unit")
        if kind not in targets:
            continue
        known = targets[kind].capabilities.unit
        runtime = runtime_of_entry(entries(raw, "targets")[entry["target"]])
        if runtime is not None and runtime.unit is not None:
            known = runtime.unit
        if not unit and runtime is not None and runtime.needs_unit:
            hint = f"give it a `unit`: {' or '.join(sorted(known))}"
            message = f"target {entry['target']!r} has no emulator, and the device names no board"
            yield Finding(keys=("devices", name), message=message, hint=hint)
        if not isinstance(unit, Mapping):
            continue
        for key in sorted(str(key) for key in unit if key not in known):
            hint = f"it takes {', '.join(sorted(known))}" if known else "leave `unit` out"
            message = f"the engine of target kind {kind!r} takes no {key!r}"
            yield Finding(keys=("devices", name, "unit", key), message=message, hint=hint)
        both = sorted(str(key) for key in unit if key in known)
        if targets[kind].capabilities.unit_by_one and len(both) > 1:
            message = f"{' and '.join(both)} each name a unit, and a device is one"
            hint = "leave one of them out, or describe a device for each"
            yield Finding(keys=("devices", name, "unit"), message=message, hint=hint)


def _ports(raw: Entry) -> Iterator[Finding]:
    """Yield ports that the services of several models would take."""
    models: dict[str, set[str]] = {}
    for _, deployment, devices in deployments(raw):
        for device in devices:
            models.setdefault(str(device), set()).add(str(deployment.get("model")))
    for name, entry in entries(raw, "devices").items():
        service = entry.get("service")
        port = service.get("http_port") if isinstance(service, Mapping) else None
        if port is not None and len(models.get(name, ())) > 1:
            message = f"{len(models[name])} models are deployed there, and each has a service"
            hint = "leave it out: each has a Unix socket of its own; or describe a device for each"
            keys = ("devices", name, "service", "http_port")
            yield Finding(keys=keys, message=message, hint=hint)


def _broken(raw: Entry) -> Iterator[Finding]:
    broken = broken_targets()
    for name, target in entries(raw, "targets").items():
        kind = target.get("kind")
        if isinstance(kind, str) and kind in broken:
            message = f"target kind {kind!r} is installed, but cannot be used: {broken[kind]}"
            yield Finding(keys=("targets", name, "kind"), message=message)
