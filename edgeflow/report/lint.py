"""What targets said of models before they compiled them, as the compile step left it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest
from edgeflow.errors import IntegrityError
from edgeflow.targets.findings import KEPT


@dataclass(frozen=True, kw_only=True, slots=True)
class Linted:
    """One finding of a target; `severity`, `place` and `message` as in its `Lint`."""

    target: str
    model: str
    recipe: str
    severity: str
    place: str
    message: str


def load_lints(results: Path, slice_: Mapping[str, Any]) -> list[Linted]:
    """Return the findings of all compilations of the report's slice, warnings first.

    Raises:
        IntegrityError: a manifest cannot be read.
    """
    keys = ("target", "model", "recipe")
    compiled = dict.fromkeys(tuple(str(unit[key]) for key in keys) for unit in slice_["units"])
    found = [
        Linted(**names, **{key: finding[key] for key in ("severity", "place", "message")})
        for names in (dict(zip(keys, each, strict=True)) for each in compiled)
        for finding in _read(results / paths.COMPILED.format(**names))
    ]
    return sorted(found, key=lambda one: one.severity != "warning")


def _read(folder: Path) -> list[dict[str, Any]]:
    """Return the findings of a compilation, also of one that failed."""
    manifest, kept = folder / "compile.json", folder / KEPT
    if not kept.is_file():
        return list(read_manifest(manifest).facts["lint"]) if manifest.is_file() else []
    try:
        return list(json.loads(kept.read_bytes()))
    except ValueError as error:
        raise IntegrityError(f"{kept} is damaged: {error}", hint=f"remove {kept}") from error
