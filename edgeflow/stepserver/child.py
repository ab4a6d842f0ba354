"""What a forked child does to be the process that its command would have been."""

import atexit
import contextlib
import ctypes
import io
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import NoReturn

from edgeflow.artifact.events import ElsewhereError, set_process
from edgeflow.artifact.step import only_look_up
from edgeflow.cli.app import main
from edgeflow.stepserver.steps import restore

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
EXIT_MISSED = 113  # none of edgeflow's
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int) -> None:
    """Let this process be killed when its parent dies, which may just have happened."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def become(
    argv: list[str], environment: Mapping[str, str], files: list[int], look_up: bool
) -> NoReturn:
    """Run a command in this process, and end as its own would.

    Args:
        argv: its arguments.
        environment: its environment.
        files: its standard input, output and error.
        look_up: whether to end with `EXIT_MISSED`, and nothing done, where the store has not what
            the command makes.
    """
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.argv[:] = argv
    sys.orig_argv[:] = [sys.executable, *argv]
    restore(environment)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    _libc.prctl(_PR_SET_NAME, b"edgeflow")
    set_process("forked")
    if look_up:
        only_look_up()
    code = _run()
    with contextlib.suppress(BaseException):
        threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does at its end
        atexit._run_exitfuncs()
    os._exit(_flushed(code))


def _run() -> int:
    """Run the command line; return its exit code as the interpreter would."""
    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except ElsewhereError:
        return EXIT_MISSED
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _flushed(code: int) -> int:
    """Return the exit code after what was printed is written: 120 where it cannot be."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return 120
    return code
