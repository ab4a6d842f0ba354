"""What lies on a device: its models, what was done there, and what nothing needs any more."""

import posixpath

from edgeflow.deploy.agent_answer import (
    Collected,
    Forgotten,
    History,
    Listing,
    Logged,
    Pruned,
    StoredModel,
)
from edgeflow.deploy.device.bundles import KEEP_RELEASES
from edgeflow.deploy.device.link import Link
from edgeflow.text import clean


class Care(Link):
    """Looks at what lies on a device, and removes it."""

    def prune(self, model: str) -> None:
        """Remove the releases that are not worth keeping; never the current or previous one."""
        self._call(Pruned, "prune", self.model_dir(model), str(KEEP_RELEASES))

    def history(self, model: str, last: int) -> History:
        """Return the last entries of a model's audit log, and whether anybody changed it."""
        return self._call(History, "history", self.model_dir(model), "--last", str(last))

    def logs(self, model: str, last: int) -> tuple[str, ...]:
        """Return the last lines that a model's service printed."""
        answer = self._call(Logged, "logs", self.model_dir(model), "--last", str(last))
        return tuple(clean(line) for line in answer.lines)

    def gc(self) -> int:
        """Remove what nothing there needs any more; return the bytes that gave back."""
        root = posixpath.join(self._agent.home, self.endpoint.path)
        return self._call(Collected, "gc", root, str(KEEP_RELEASES)).freed_bytes

    def models(self) -> tuple[StoredModel, ...]:
        """Return the models on the device."""
        root = posixpath.join(self._session.home, self.endpoint.path)
        return self._call(Listing, "models", root).models

    def forget(self, model: str) -> None:
        """Remove a model with all its releases.

        Raises:
            DeployError: it is not on the device.
        """
        self._call(Forgotten, "forget", self.model_dir(model))
