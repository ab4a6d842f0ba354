"""A release on trial: switched to, tried, and taken back unless the host confirms it in time."""

from __future__ import annotations

import contextlib
import secrets
import time

from .answer import Refused
from .audit import UNSIGNED, audit
from .boot import after, left_s
from .files import write_json
from .health import fault_of
from .journal import journal_of, state_of
from .lock import locked
from .manifest import release_counter
from .model import Model
from .pending import digest_of, require_settled, settle, supervising
from .release import fallback, verify_release, whole
from .repair import repair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json

LOOK_S = 0.1
# After a settlement that failed, on a full disk for example.
AGAIN_S = 1.0


class Trial:
    """A switch that this process has begun.

    Attributes:
        held: holds the supervisor's lock, which says that this process watches.
        token: digest of its token; None before it has begun.
    """

    def __init__(self) -> None:
        self.held = contextlib.ExitStack()
        self.token: str | None = None


def begin(options: argparse.Namespace, trial: Trial) -> Json:
    """Switch to a release and try it; what is pending then is the caller's to watch.

    Args:
        options: of the verb `switch`.
        trial: gets what is to be watched, also where this fails.
    """
    from .signature import signer_of_release

    model, name = Model(options.model_dir), options.sha
    with locked(model.folder, "switch"):
        repair(model)
        journal = journal_of(model)
        require_settled(journal)
        verify_release(model, name)
        signer = signer_of_release(model.release(name), model.trust)
        old = model.current()
        if old == name and state_of(name, journal) == "confirmed":
            return {"state": "confirmed", "token": None, "changed": False, "current": name}
        previous = journal["releases"][name]["previous"] if old == name else old
        previous = whole_before(model, journal, previous)
        lowered = require_counter(model, journal, name, allowed=options.allow_downgrade)
        trial.held.enter_context(supervising(model))
        token = secrets.token_hex(16)
        trial.token = digest_of(token)
        journal["releases"][name]["signed_by"] = signer
        journal["pending"] = {
            "target": name,
            "previous": previous,
            "token": trial.token,
            "healthy": False,
            "deadline": after(options.health_s + options.confirm_s),
        }
        write_json(model.journal_path, journal)
        switch_to(model, name)
        facts = dict(lowered, previous=previous, signed_by=signer or UNSIGNED)
        audit(model.folder, "switch", sha=name, state="switched", **facts)
        require_healthy(model, name, options)
        journal["pending"].update(healthy=True, deadline=after(options.confirm_s))
        write_json(model.journal_path, journal)
    return {
        "state": "healthy",
        "token": token,
        "changed": old != name,
        "current": name,
        "previous": previous,
    }


def whole_before(model: Model, journal: Json, previous: str | None) -> str | None:
    """Return the release that a trial goes back to; refuse where one should be, and none is whole.

    A device that serves none has nothing to go back to, and nothing to lose.
    """
    if previous is None or whole(model, previous):
        return previous
    to = fallback(model, previous, journal)
    if to is None:
        raise Refused(
            "corrupt",
            f"release {previous}, to go back to, is damaged, and none before it is whole: "
            "deploy it again, or reject it first",
        )
    return to


def require_counter(model: Model, journal: Json, name: str, *, allowed: bool) -> Json:
    """Refuse a release with a lower counter than one that was confirmed, unless it is allowed.

    Returns what the audit log is to say of it.
    """
    counter, least = release_counter(model.release(name)), journal["counter"]
    if counter >= least:
        return {}
    fact = f"counter {counter} is lower than {least}, which this device has confirmed"
    if not allowed:
        raise Refused("rejected", f"a downgrade: {fact}", sha=name)
    return {"downgrade": fact}


def switch_to(model: Model, name: str) -> None:
    """Switch `current`, and see that it was: else the trial would be of the release before."""
    model.switch(name)
    found = model.current()
    if found != name:
        raise Refused("failed", f"current is {found} after the switch to {name}")


def require_healthy(model: Model, name: str, options: argparse.Namespace) -> None:
    """Refuse a release that does not work here."""
    fault = fault_of(model, name, options)
    if fault is not None:
        raise Refused("unhealthy", f"release {name} is not healthy: {fault}")


def take_back(model: Model, token: str, reason: str) -> Json:
    """Take back a switch, if it is still pending; return what is to be said of that."""
    with locked(model.folder, "supervise"):
        journal = journal_of(model)
        pending = journal["pending"]
        if pending is None or pending["token"] != token:
            return {}
        return settle(model, journal, reason)


def take_back_at_last(model: Model, token: str, reason: str) -> Json:
    """The same, tried until it is done: another verb may be at work, or the disk be full."""
    while True:
        with contextlib.suppress(Refused, OSError):
            return take_back(model, token, reason)
        time.sleep(AGAIN_S)


def watch(model: Model, token: str) -> None:
    """Wait until the switch is settled, and take it back when its time is over.

    Args:
        token: digest of its token.
    """
    while True:
        with contextlib.suppress(Refused, OSError):
            pending = journal_of(model)["pending"]
            if pending is None or pending["token"] != token:
                return
            if left_s(pending["deadline"]) <= 0:
                break
        time.sleep(LOOK_S)
    take_back_at_last(model, token, "no confirmation in time")
