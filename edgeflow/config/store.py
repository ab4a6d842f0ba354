"""Where edgeflow keeps what it may use again."""

from edgeflow.config.base import Section


class Store(Section):
    """The cache outside the project: device environments and toolchains."""

    path: str = "~/.cache/edgeflow"
    """Folder; `~` is the home directory."""
