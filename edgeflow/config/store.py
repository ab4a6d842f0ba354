"""Where edgeflow keeps what it may use again."""

from edgeflow.config.base import Section, Text


class Store(Section):
    """The cache outside the project: device environments and toolchains."""

    path: Text = "~/.cache/edgeflow"
    """Folder; `~` is the home directory."""
