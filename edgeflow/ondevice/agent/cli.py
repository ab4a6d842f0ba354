"""The command line of the agent."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
import re
import sys
from functools import partial

from . import __doc__ as description
from .answer import EXIT_CODES, Refused
from .audit import audit
from .boot import LONGEST_S
from .care import gc, logs
from .clear import forget, prune, unserve
from .confirm import confirm
from .data import find_data, store_data
from .folders import OTHERS
from .hand_over import hand_over
from .history import history
from .install import install, prepare
from .judge import rollback
from .look import models, status, verify
from .manifest import SHA
from .recover import recover
from .retire import retire
from .samples import pack_samples
from .space import free
from .supervisor import detach, supervise
from .switch import switch
from .uploads import FORMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from .answer import Json

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
UPLOADER = re.compile(r"[0-9a-f]{16}")


def sha(text: str) -> str:
    """Return `text` if it is a hex SHA-256."""
    if not SHA.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a SHA-256: {text!r}")
    return text


def file_name(text: str) -> str:
    """Return `text` if it is a plain file name."""
    if not FILE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not a file name: {text!r}")
    return text


def uploader(text: str) -> str:
    """Return `text` if it names an uploader."""
    if not UPLOADER.fullmatch(text):
        raise argparse.ArgumentTypeError(f"not an uploader: {text!r}")
    return text


def quantity(text: str) -> float:
    """Return a number that is finite and not negative."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"neither 0 nor a positive number: {text!r}")
    return number


def seconds(text: str) -> float:
    """Return a time that a trial may take."""
    number = quantity(text)
    if number > LONGEST_S:
        raise argparse.ArgumentTypeError(f"longer than {LONGEST_S} s: {text!r}")
    return number


def count(text: str) -> int:
    """Return a whole number that is not negative."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"negative: {text!r}")
    return number


ARGUMENTS: dict[str, Json] = {
    "model_dir": {},
    "data_dir": {},
    "root_dir": {},
    "sha": {"type": sha},
    "name": {"type": file_name},
    "keep": {"type": count},
    "--form": {"choices": sorted(FORMS), "default": "tar"},
    "--need-bytes": {"type": count, "default": 0},
    "--need-inodes": {"type": count, "default": 0},
    "--packed-from": {"type": int, "metavar": "BYTES"},
    "--reason": {"default": ""},
    "--if-current": {"action": "store_true"},
    "--uploader": {"type": uploader},
    "--release": {"type": sha},
    "--last": {"type": count, "default": 20},
    "token": {},
    "state": {"choices": ("install", "commit", "rollback", "deliver")},
    "folder": {},
    "--python": {"default": "python3"},
    "--unit": {"default": "", "metavar": "JSON"},
    "--health-s": {"type": seconds, "required": True},
    "--confirm-s": {"type": seconds, "required": True},
    "--max-latency-ms": {"type": quantity},
    "--max-rss-mb": {"type": quantity},
    "--allow-downgrade": {"action": "store_true"},
}
SWITCH = (
    "model_dir",
    "sha",
    "--python",
    "--unit",
    "--health-s",
    "--confirm-s",
    "--max-latency-ms",
    "--max-rss-mb",
    "--allow-downgrade",
)
FOLDERS = ("model_dir", "data_dir", "root_dir", "folder")
AUDITED = ("install", "switch", "confirm", "rollback", "retire")
VERBS = {
    status: ("model_dir", "--release"),
    verify: ("model_dir", "sha"),
    prepare: ("model_dir", "sha", "keep", "--need-bytes", "--need-inodes", "--uploader"),
    install: ("model_dir", "sha", "--form", "--packed-from", "--uploader"),
    switch: SWITCH,
    supervise: SWITCH,  # not for hosts: `switch` starts it
    confirm: ("model_dir", "sha", "token"),
    recover: ("root_dir",),
    history: ("model_dir", "--last"),
    rollback: ("model_dir", "sha", "--reason", "--if-current"),
    retire: ("model_dir", "sha", "--reason"),
    prune: ("model_dir", "keep"),
    models: ("root_dir",),
    gc: ("root_dir", "keep"),
    logs: ("model_dir", "--last"),
    forget: ("model_dir",),
    unserve: ("model_dir",),
    pack_samples: ("model_dir", "--uploader"),
    find_data: ("data_dir", "sha", "name", "--need-bytes", "--uploader"),
    hand_over: ("state", "folder"),
    store_data: ("data_dir", "sha", "name", "--uploader"),
}


class Parser(argparse.ArgumentParser):
    """Answers wrong arguments as everything else."""

    def error(self, message: str) -> NoReturn:
        """Refuse the arguments."""
        raise Refused("usage", f"{self.prog}: {message}")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    root = Parser(prog="agent", description=description)
    verbs = root.add_subparsers(dest="verb")
    verbs.required = True
    for verb, arguments in VERBS.items():
        command = verbs.add_parser(verb.__name__.replace("_", "-"), help=verb.__doc__)
        command.set_defaults(run=verb)
        for argument in arguments:
            optional: Json = {"nargs": "?"} if (verb, argument) == (verify, "sha") else {}
            command.add_argument(argument, **ARGUMENTS[argument], **optional)
    return root


def answer(options: argparse.Namespace, run: Callable[[argparse.Namespace], Json]) -> Json:
    """Run a verb; a failure becomes an answer too."""
    try:
        return run(options)
    except Refused as refused:
        return refused.answer
    except OSError as error:
        given = vars(options)
        folder = os.path.abspath(next(given[key] for key in FOLDERS if key in given))
        kind = "no space" if error.errno in FULL else "failed"
        return dict(free(folder), error=kind, detail=str(error))
    except Exception as error:
        return {"error": "failed", "detail": f"{type(error).__name__}: {error}"}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb and print its answer."""
    try:
        options = parser().parse_args(arguments)
    except Refused as refused:
        return tell(refused.answer)
    options.arguments = (sys.argv[1:] if arguments is None else arguments)[1:]
    os.umask(os.umask(0) | OTHERS)
    if options.run is supervise:
        detach()
        supervise(options, partial(answer, options))
        return 0
    result = answer(options, options.run)
    # Who waits for a lock asks on; a switch that was taken back is in the log already.
    said = result.get("error", "locked") == "locked" or result.get("state") == "rolled_back"
    if options.verb in AUDITED and not said:
        audit(os.path.abspath(options.model_dir), options.verb, **dict(result, sha=options.sha))
    return tell(result)


def tell(result: Json) -> int:
    """Print an answer and return the exit code."""
    # A file's name need not be text: what is none would make the whole answer unreadable.
    result = json.loads(json.dumps(result, ensure_ascii=False).encode("utf-8", "replace"))
    print(json.dumps(result, sort_keys=True))
    return EXIT_CODES.get(result["error"], 70) if "error" in result else 0
