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
        MissingToolError: its module cannot be imported, or it is no target.
    """
    try:
        return target_class(kind)
    except (Exception, SystemExit) as error:  # someone else's module may raise anything
        raise MissingToolError(
            f"target kind {kind!r} cannot be loaded: {type(error).__name__}: {error}",
            hint="reinstall the package that provides it (edgeflow's own: edgeflow-ml)",
        ) from error
