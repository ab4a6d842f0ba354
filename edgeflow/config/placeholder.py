"""What `edgeflow init` writes where only the user can tell."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.config.finding import Finding
from edgeflow.config.neighbours import not_there
from edgeflow.config.raw import entries

FILL_IN = "FILL-IN"
"""Stands for what only the user can tell; messages name the key where it stands."""


def unfilled(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the datasets whose path is still to be filled in."""
    for name, entry in entries(raw, "datasets").items():
        path = entry.get("path")
        if isinstance(path, str) and Path(path).stem == FILL_IN:
            yield from not_there(Path(path), ("datasets", name, "path"))
