"""Names of the configuration, for shell completion: quick, and silent where there are none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

Complete = Callable[[typer.Context, str], list[str]]


def names_of(section: str) -> Complete:
    """Return a completer with the names in a section of the configuration.

    It reads the file and validates nothing: a shell waits for it at each press of a key.
    """

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        config = Path(context.params.get("config") or "config.yaml")
        return sorted(name for name in raw_section(config, section) if name.startswith(incomplete))

    return complete


def raw_section(config: Path, section: str) -> dict[str, Any]:
    """Return a section of a configuration, as it is written; empty if there is none."""
    import yaml

    from edgeflow.config.yaml12 import read

    try:
        _, value = read(config.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    found = value.get(section) if isinstance(value, dict) else None
    return {str(name): it for name, it in found.items()} if isinstance(found, dict) else {}
