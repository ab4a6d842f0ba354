"""The confirmation of a release on trial, by the host, over a new connection."""

from __future__ import annotations

from .answer import Refused
from .audit import UNSIGNED, audit
from .boot import left_s
from .files import write_json
from .journal import journal_of
from .lock import locked
from .manifest import release_counter
from .model import Model
from .pending import close, digest_of, settle

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def confirm(options: argparse.Namespace) -> Json:
    """End the trial of a release: it stays in use. The token is the one that `switch` gave."""
    model, name, token = Model(options.model_dir), options.sha, digest_of(options.token)
    with locked(model.folder, "confirm"):
        journal = journal_of(model)
        pending = journal["pending"]
        if pending and (pending["target"], pending["token"]) == (name, token):
            decide(model, journal)
        last = journal["last"]
        if last is None or (last["target"], last["token"]) != (name, token):
            raise Refused("refused", f"this is no token of the last switch to {name}")
        current = model.current()
        if last["state"] != "confirmed":
            detail = f"release {name} was taken back before the confirmation came"
            raise Refused("rolled back", detail, state=last["state"], current=current)
    return {"state": "confirmed", "current": current}


def decide(model: Model, journal: Json) -> None:
    """Confirm the release on trial if it is in time, healthy and in use; else take it back."""
    pending = journal["pending"]
    target = pending["target"]
    in_use = model.current() == target
    if not (in_use and pending["healthy"] and left_s(pending["deadline"]) > 0):
        settle(model, journal, "the confirmation came too late")
        return
    close(journal, "confirmed")
    # It only rises: a release that was let in with a lower one leaves it as it is.
    journal["counter"] = max(journal["counter"], release_counter(model.release(target)))
    write_json(model.journal_path, journal)
    signer = journal["releases"][target].get("signed_by")
    facts = {"counter": journal["counter"], "signed_by": signer or UNSIGNED}
    audit(model.folder, "confirm", sha=target, state="confirmed", **facts)
