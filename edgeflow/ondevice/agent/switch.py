"""The switch to a release, on trial until the host confirms it."""

from __future__ import annotations

from .answer import Refused
from .lock import locked
from .model import Model
from .repair import repair
from .supervisor import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def switch(options: argparse.Namespace) -> Json:
    """Put a release on trial: a supervisor switches to it, and back if no `confirm` comes."""
    try:
        return start(options.arguments)
    except Refused:
        model = Model(options.model_dir)
        with locked(model.folder, "switch"):
            done = repair(model)
        if done is None:
            raise
        detail = "the supervisor was killed; the release was taken back"
        raise Refused("failed", detail, state="rolled_back", current=done["current"]) from None
