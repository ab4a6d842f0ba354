"""Judgement of a release: one that is rejected is out of use, and never gone back to."""

from __future__ import annotations

from .answer import Refused
from .audit import audit
from .files import write_json
from .journal import journal_of, state_of
from .lock import locked
from .model import Model
from .pending import close
from .release import fallback
from .repair import repair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def rollback(options: argparse.Namespace) -> Json:
    """Reject a release; if it is in use, go back to the one before it, or to none."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "rollback"):
        repair(model)
        journal, rolled_back = journal_of(model), model.current() == name
        if options.if_current and not rolled_back:
            raise Refused("refused", f"release {model.current()} is in use")
        rejected = state_of(name, journal) != "rejected" and name in journal["releases"]
        if rejected:
            reject(journal, name)
            write_json(model.journal_path, journal)
        to = fallback(model, name, journal) if rolled_back else model.current()
        if rolled_back:
            model.switch(to)
        if rejected or rolled_back:
            verb = "rollback" if rolled_back else "reject"
            audit(model.folder, verb, sha=name, to=to, reason=options.reason)
    return {"current": model.current(), "rolled_back": rolled_back}


def reject(journal: Json, name: str) -> None:
    """Note that a release is never gone back to; a switch to it is on trial no more."""
    pending, last = journal["pending"], journal["last"]
    if pending and pending["target"] == name:
        close(journal, "rejected")
    elif last and last["target"] == name:
        last["state"] = "rejected"
    journal["releases"][name]["state"] = "rejected"
