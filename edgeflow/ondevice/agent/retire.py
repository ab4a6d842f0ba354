"""A release taken out of use, that may serve again."""

from __future__ import annotations

from .audit import audit
from .journal import journal_of
from .lock import locked
from .model import Model
from .pending import require_settled
from .repair import repair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def retire(options: argparse.Namespace) -> Json:
    """Take a release out of use if it is current; none is then. It stays what it was judged."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "retire"):
        repair(model)
        require_settled(journal_of(model))
        changed = model.current() == name
        if changed:
            model.switch(None)
            audit(model.folder, "retire", sha=name, reason=options.reason)
    return {"changed": changed, "current": model.current()}
