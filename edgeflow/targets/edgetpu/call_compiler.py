"""Calls `edgetpu_compiler`, on this machine or on a compile host: standard library only."""

import os
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, List  # noqa: UP035  # of an old Python

FLAKY = "Internal compiler error"
"""What it also prints of models that it compiles the next time."""
TRIES = 2
_SAID_MAX = 1 << 20
_LOG_MAX = 1 << 20


def work(job: Dict[str, Any], folder: Path) -> Dict[str, Any]:  # noqa: UP006
    """Compile, and leave the files that `job["outputs"]` names.

    Args:
        job: ``command``, ``outputs`` and ``limit_s``, the time after which it is ended.
        folder: holds the model.

    Returns:
        ``exit_code`` (None after the limit), ``said``, all that it printed, ``logs`` by the name of
        their file, and ``tries``.
    """
    answer: Dict[str, Any] = {}  # noqa: UP006
    for tries in range(1, TRIES + 1):
        _remove_new(folder, set(job["inputs"]))
        print("$", " ".join(map(shlex.quote, job["command"])))
        answer = {**_run(job["command"], folder, job["limit_s"]), "tries": tries}
        print(answer["said"], flush=True)
        if FLAKY not in answer["said"]:
            break
    logs = {path.name: _log(path) for path in sorted(folder.glob("*.log"))}
    _remove_new(folder, {*job["inputs"], *job["outputs"]})
    return {**answer, "logs": logs}


def _run(command: List[str], folder: Path, limit_s: float) -> Dict[str, Any]:  # noqa: UP006
    with subprocess.Popen(
        command,
        cwd=str(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # it starts children of its own, which end with it
    ) as process:
        try:
            said = process.communicate(timeout=limit_s)[0]
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, code = process.communicate()[0], None
    return {"exit_code": code, "said": said.decode("utf-8", "replace")[-_SAID_MAX:]}


def _log(path: Path) -> str:
    with path.open(errors="replace") as file:
        return file.read(_LOG_MAX)


def _remove_new(folder: Path, kept: "set[str]") -> None:
    for path in folder.iterdir():
        if path.is_file() and path.name not in kept:
            path.unlink()
