"""Names of the configuration, for shell completion: quick, and silent where there are none."""

from collections.abc import Callable, Iterator

import typer

Complete = Callable[[typer.Context, str], list[str]]


def names_of(section: str) -> Complete:
    """Return a completer with the names in a section of the configuration.

    It reads the file and validates nothing: a shell waits for it at each press of a key.
    """

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        config = context.params.get("config") or "config.yaml"
        return [name for name in _names(config, section) if name.startswith(incomplete)]

    return complete


def _names(config: object, section: str) -> Iterator[str]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        with open(str(config), encoding="utf-8") as file:  # noqa: PTH123 # the shell waits
            value = yaml.load(file, loader)  # noqa: S506 # both loaders are safe
    except (OSError, ValueError, yaml.YAMLError):
        return
    found = value.get(section) if isinstance(value, dict) else None
    yield from sorted(map(str, found)) if isinstance(found, dict) else ()
