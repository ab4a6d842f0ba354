"""A switch on trial: what the journal says of it, who watches it, and how it ends.

From before `current` is switched until the confirmation the journal has a `pending`: the `target`,
the `previous` release to go back to, the digest of the `token` that confirms it, whether the target
was found `healthy`, and the `deadline`. It never says whether the switch came about: the link does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time

from .answer import Refused
from .audit import audit
from .boot import boot_id, left_s
from .files import unblocked, write_json
from .journal import state_of
from .release import fallback, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answer import Json
    from .model import Model

SUPERVISOR_LOCK = "supervisor.lock"
# A supervisor whose switch is settled sees so soon.
SETTLED_S = 5.0


def digest_of(token: str) -> str:
    """Return what the journal keeps of a token: others may read it."""
    return hashlib.sha256(token.encode()).hexdigest()


@contextlib.contextmanager
def supervising(model: Model) -> Iterator[None]:
    """Be the one process that watches a switch of this model; its death is seen by the lock."""
    deadline = time.monotonic() + SETTLED_S
    with open(os.path.join(model.folder, SUPERVISOR_LOCK), "a", opener=unblocked) as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Refused("locked", "another switch is being watched") from None
            time.sleep(0.02)
        yield


def watched(model: Model, pending: Json) -> bool:
    """Tell whether a process still watches a pending switch; none outlives a boot."""
    if pending["deadline"]["boot"] != boot_id():
        return False
    try:
        with open(os.path.join(model.folder, SUPERVISOR_LOCK), opener=unblocked) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def require_settled(journal: Json) -> None:
    """Refuse while a switch is on trial: its host confirms it, or it is taken back."""
    pending = journal["pending"]
    if pending is not None:
        left = left_s(pending["deadline"])
        target = pending["target"]
        raise Refused("locked", f"release {target} is on trial, for {left:.0f} s at most")


def trial_state(model: Model, pending: Json) -> str:
    """Return how far a pending switch has come, by the link."""
    if model.pointed() != pending["target"]:
        return "pending"
    return "healthy" if pending["healthy"] else "switched"


def close(journal: Json, state: str) -> None:
    """End the pending switch in the journal; what was confirmed before stays a way back."""
    pending, entries = journal["pending"], journal["releases"]
    target = pending["target"]
    journal["last"] = {"target": target, "token": pending["token"], "state": state}
    journal["pending"] = None
    if target in entries and (state != "rolled_back" or state_of(target, journal) != "confirmed"):
        entries[target]["state"] = state
    if target in entries and state != "rolled_back":
        entries[target]["previous"] = pending["previous"]


def way_back(model: Model, journal: Json) -> str | None:
    """Return the release that was current before the pending switch, or the nearest whole one."""
    previous: str | None = journal["pending"]["previous"]
    if previous is None:
        return None
    fair = state_of(previous, journal) != "rejected" and whole(model, previous)
    return previous if fair else fallback(model, previous, journal)


def settle(model: Model, journal: Json, reason: str) -> Json:
    """Take a pending switch back: what was current before is so again; the lock is held.

    The link first: if this is killed before the journal is written, it is done again.

    Returns:
        What is to be said of it; an error, where nothing was left to go back to.
    """
    pending, to = journal["pending"], model.pointed()
    target, previous = pending["target"], pending["previous"]
    if to == target:
        to = way_back(model, journal)
        model.switch(to)
    answer = {"state": "rolled_back", "current": model.current()}
    if answer["current"] is None and previous is not None:
        detail = f"neither release {previous} nor one before it is whole; none is in use"
        answer.update(error="unable to roll back", detail=detail)
    close(journal, "rolled_back")
    write_json(model.journal_path, journal)
    facts = {"fault": answer["detail"]} if "detail" in answer else {}
    audit(model.folder, "rollback", sha=target, state="rolled_back", to=to, reason=reason, **facts)
    return answer
