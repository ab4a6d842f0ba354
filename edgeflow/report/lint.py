"""What targets said of models before they compiled them, as the compile step left it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow import paths
from edgeflow.artifact.manifest import read_manifest


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
        for finding in _read(results / paths.COMPILED.format(**names) / "compile.json")
    ]
    return sorted(found, key=lambda one: one.severity != "warning")


def _read(manifest: Path) -> list[dict[str, Any]]:
    return list(read_manifest(manifest).facts["lint"]) if manifest.is_file() else []
