"""Judgement of a release: in use once it has passed, out of use once it is rejected."""

from __future__ import annotations

from .audit import UNSIGNED, audit
from .files import write_json
from .journal import journal_of, state_of
from .lock import locked
from .model import Model
from .pending import close
from .release import fallback, verify_release
from .repair import repair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def activate(options: argparse.Namespace) -> Json:
    """Make a release current that has passed, and note what was current before."""
    from .signature import signer_of_release

    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "activate"):
        repair(model)
        verify_release(model, name)
        signer = signer_of_release(model.release(name), model.trust)
        old, journal = model.current(), journal_of(model)
        entry = journal["releases"][name]
        before = entry["previous"] if old == name else old
        wanted = dict(entry, state="confirmed", previous=before, signed_by=signer)
        if wanted != entry:
            journal["releases"][name] = wanted
            write_json(model.journal_path, journal)
        if old != name:
            model.switch(name)
            signed_by = signer or UNSIGNED
            audit(model.folder, "activate", sha=name, previous=old, signed_by=signed_by)
    return {
        "changed": old != name,
        "current": model.current(),
        "previous": wanted["previous"],
    }


def rollback(options: argparse.Namespace) -> Json:
    """Reject a release; if it is in use, go back to the one before it, or to none."""
    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "rollback"):
        repair(model)
        journal, rolled_back = journal_of(model), model.current() == name
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
