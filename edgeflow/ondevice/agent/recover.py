"""Recovery after a reboot or a kill: no switch stays on trial that nobody watches."""

from __future__ import annotations

import os

from .answer import Refused
from .folders import is_folder
from .lock import locked
from .model import Model
from .repair import repair

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json


def recover(options: argparse.Namespace) -> Json:
    """Repair all models, and take back each switch that nobody watches any more."""
    root, recovered, failed = os.path.abspath(options.root_dir), [], []
    if not is_folder(root):
        raise Refused("absent", f"{root} is no folder")
    for name in sorted(os.listdir(root)):
        model = Model(os.path.join(root, name))
        if not is_folder(model.releases):
            continue
        try:
            with locked(model.folder, "recover"):
                done = repair(model)
        except (Refused, OSError) as error:
            failed.append(f"{name}: {error}")  # one model that cannot be repaired stops no other
            continue
        if done is not None:
            recovered.append({"model": name, "sha": done["sha"], "state": done["state"]})
    answer: Json = {"recovered": recovered}
    return dict(answer, error="failed", detail="; ".join(failed)) if failed else answer
