"""The supervisor of a switch: a process that outlives the host's connection.

It is started before anything changes, does all of the switch, and takes it back by itself if the
host does not confirm it. So whatever happens to the connection, or to the verb that the host
called, there is always one process that knows what to do, or none and a journal that says it.
"""

from __future__ import annotations

import json
import os

from .answer import Refused
from .model import Model
from .program import command
from .trial import Trial, begin, take_back_at_last, watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import List

    from .answer import Json

LAST_CHARACTERS = 500


def start(arguments: List[str]) -> Json:
    """Start a supervisor with the arguments of `switch`, and return what it answers."""
    import subprocess

    argv = [*command(), "supervise", *arguments]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    child = subprocess.Popen(
        argv, stdin=null, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True
    )
    # The one that we have started ends at once; the supervisor is its child.
    with child, child.stdout as reader:  # type: ignore[union-attr]
        said = reader.read().decode("utf-8", "replace").strip()
    try:
        answer: Json = json.loads(said.rpartition("\n")[2])
    except ValueError:
        why = said[-LAST_CHARACTERS:] or "it was killed"
        raise Refused("failed", f"the supervisor gave no answer: {why}") from None
    return answer


def detach() -> None:
    """Leave the process that started us: it does not wait, nor does our end concern it."""
    if os.fork():
        os._exit(0)


def supervise(
    options: argparse.Namespace, answer: Callable[[Callable[[argparse.Namespace], Json]], Json]
) -> None:
    """Do a switch, answer, and watch it until it is settled.

    Args:
        options: of the verb `switch`.
        answer: runs a verb; a failure becomes an answer too.
    """
    model, trial = Model(options.model_dir), Trial()
    with trial.held:
        result = answer(lambda options: begin(options, trial))
        if trial.token is None:
            tell(result)
            return
        if "error" in result:
            result = dict(result, **take_back_at_last(model, trial.token, result["detail"]))
        if not tell(result) and "error" not in result:
            take_back_at_last(model, trial.token, "the host was gone before the answer")
        watch(model, trial.token)


def tell(result: Json) -> bool:
    """Print the answer, and nothing ever after; return whether somebody could read it."""
    try:
        print(json.dumps(result, sort_keys=True), flush=True)
    except OSError:
        return False
    finally:
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (1, 2):
            os.dup2(null, descriptor)
        os.close(null)
    return True
