"""A .keras file whose bytes follow from the network alone."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

_TIME = (1980, 1, 1, 0, 0, 0)
_METADATA, _CONFIG = "metadata.json", "config.json"


def save(model: Any, path: Path) -> None:
    """Write a model, with no time in it, its parts in order."""
    with tempfile.TemporaryDirectory() as name:
        given = Path(name) / path.name
        model.save(given)
        with zipfile.ZipFile(given) as archive:
            parts = {part: archive.read(part) for part in sorted(archive.namelist())}
    metadata = {**json.loads(parts[_METADATA]), "date_saved": ""}
    parts[_METADATA] = json.dumps(metadata, sort_keys=True).encode()
    parts[_CONFIG] = json.dumps(_numbered(json.loads(parts[_CONFIG]), {})).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part, _TIME), content)


def _numbered(config: Any, seen: dict[int, int]) -> Any:
    """Return a configuration with shared objects counted, where Keras has their addresses."""
    if isinstance(config, list):
        return [_numbered(one, seen) for one in config]
    if not isinstance(config, dict):
        return config
    made = {key: _numbered(value, seen) for key, value in config.items()}
    address = made.get("shared_object_id")
    if address is not None:
        made["shared_object_id"] = seen.setdefault(address, len(seen))
    return made
