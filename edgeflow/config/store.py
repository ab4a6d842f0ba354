"""Where edgeflow keeps what it may use again."""

from typing import Annotated

from pydantic import Field

from edgeflow.config.base import HomePath, Section

REMOTE_PATTERN = (
    r"^(file:///[^?#]+"
    r"|s3://[a-z0-9][a-z0-9.-]+(/[^?#]*)?"
    r"|sftp://([A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+(:[0-9]+)?/[^?#]+)$"
)
"""No place for a password or a secret: they come from the environment."""


class Store(Section):
    """The cache outside the project: what steps made, device environments."""

    path: HomePath = "~/.cache/edgeflow"
    """Folder; `~` is the home directory."""
    remote: Annotated[str, Field(pattern=REMOTE_PATTERN)] | None = None
    """A store to share: `file:///folder`, `s3://bucket/prefix` or `sftp://user@host/folder`."""
    push: bool = False
    """Whether the remote store also gets what is built here."""
