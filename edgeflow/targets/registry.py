"""Targets by the name of their entry point."""

from edgeflow import plugins
from edgeflow.config.target import target_class
from edgeflow.errors import MissingToolError
from edgeflow.targets.base import Target


def names() -> list[str]:
    """Return the kinds of all registered targets."""
    return plugins.names(plugins.TARGETS)


def get(kind: str) -> type[Target]:
    """Return a target class.

    Raises:
        MissingToolError: its module cannot be imported.
    """
    try:
        return target_class(kind)
    except (ImportError, KeyError) as error:
        raise MissingToolError(
            f"target kind {kind!r} cannot be loaded: {error}",
            hint="reinstall the package that provides it (for edgeflow's own: `uv sync`)",
        ) from error
