"""How a file came about: read from the manifest beside it, and held against the store."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from edgeflow.artifact.events import EVENTS
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.manifest import Manifest, read_manifest
from edgeflow.errors import EdgeflowError

MANIFESTS = ("manifest.json", "compile.json", "bundle.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What made a file.

    Attributes:
        file: the file that was asked about.
        manifest: the manifest that lists it.
        as_built: whether its bytes are still those that the manifest lists.
        identity: all that could change it: step, inputs, slice, code, tools.
    """

    file: Path
    manifest: Path
    as_built: bool
    identity: dict[str, Any]

    @property
    def key(self) -> str:
        """The key of the store's entry."""
        return sha256_json(self.identity)


def origin(file: Path) -> Origin:
    """Return what made a file.

    Raises:
        EdgeflowError: no manifest beside it or above it lists it.
    """
    for folder in file.absolute().parents:
        for name in MANIFESTS:
            path = folder / name
            if path.is_file():
                manifest = read_manifest(path)
                if path == file.absolute() or _listed(file, folder) in manifest.files:
                    return _origin(file, path, manifest)
    raise EdgeflowError(
        f"no manifest lists {file}: no building step made it, or it is not built yet",
        hint=f"name a file beside a {', '.join(MANIFESTS)}",
    )


def _listed(file: Path, folder: Path) -> str:
    return file.absolute().relative_to(folder).as_posix()


def _origin(file: Path, path: Path, manifest: Manifest) -> Origin:
    record = manifest.files.get(_listed(file, path.parent))
    return Origin(
        file=file,
        manifest=path,
        as_built=record is None or (file.is_file() and sha256_file(file) == record.sha256),
        identity=manifest.model_dump(
            mode="json", include={"step", "inputs", "slice", "code", "tools"}
        ),
    )


def previous(made: Origin) -> str | None:
    """Return the key of the build before, of the same step and name in the same project.

    The project's event log knows it. The store does not: other projects share it, and their
    builds of the same name are no earlier ones of this.
    """
    builds = list(_builds(made.manifest))
    mine = [number for number, build in enumerate(builds) if build["key"] == made.key]
    if not mine:
        return None
    step, name = builds[mine[-1]]["step"], builds[mine[-1]]["name"]
    for build in reversed(builds[: mine[-1]]):
        if (build["step"], build["name"]) == (step, name) and build["key"] != made.key:
            return str(build["key"])
    return None


def _builds(manifest: Path) -> Iterator[dict[str, Any]]:
    """Yield the events of finished building steps of the project that a manifest lies in."""
    logs = [folder / EVENTS for folder in manifest.absolute().parents]
    log = next((path for path in logs if path.is_file()), None)
    for line in log.read_text().splitlines() if log else ():
        with suppress(ValueError):  # two nodes may have written one line
            event = json.loads(line)
            if isinstance(event, dict) and event.get("outcome") == "done" and "key" in event:
                yield event


def differences(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return what differs between two identities: dotted path to old and new value.

    A value that is not there is None.
    """
    before, after = _flat(old), _flat(new)
    return {
        path: [before.get(path), after.get(path)]
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    }


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, item in value.items():
        path = f"{prefix}{name}"
        flat.update(_flat(item, f"{path}.") if isinstance(item, dict) else {path: item})
    return flat
