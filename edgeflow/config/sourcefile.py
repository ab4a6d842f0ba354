"""The files that models of a raw configuration come from."""

from pathlib import Path

from edgeflow.config.modelfile import kind_of
from edgeflow.config.neighbours import at_home, is_there
from edgeflow.config.raw import Entry, entries


def file_of(raw: Entry, model: object) -> Path | None:
    """Return the existing model file that a model comes from, if it comes from one."""
    entry = entries(raw, "models").get(model) if isinstance(model, str) else None
    source = entry.get("source") if entry and "architecture" not in entry else None
    path = at_home(source) if isinstance(source, str) else None
    return path if path and is_there(path) and kind_of(path) else None
