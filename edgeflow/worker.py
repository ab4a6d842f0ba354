"""Work in a child process, which may crash without taking the step with it.

A worker is a module with a function `work(job, folder)`. The child finds ``job.json`` and the
caller's files in the folder, and leaves ``result.json`` and files of its own there.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import edgeflow
from edgeflow.errors import CompileError, EdgeflowError
from edgeflow.text import tail

JOB = "job.json"
RESULT = "result.json"


def run_worker(
    module: str, job: Mapping[str, Any], folder: Path, *, title: str, hint: str
) -> dict[str, Any]:
    """Run a worker module, and return its result.

    Args:
        module: dotted name of the module.
        job: its arguments, as JSON can hold them; paths are relative to `folder`, or absolute.
        folder: the child's working directory, with the files that it reads and writes.
        title: what is being done, for messages.
        hint: what to do where the child fails without a message of its own.

    Raises:
        CompileError: the worker refused the job, crashed, or left no readable result.
    """
    (folder / JOB).write_text(json.dumps(job))
    (folder / RESULT).unlink(missing_ok=True)
    command = [sys.executable, "-P", "-X", "faulthandler", "-m", "edgeflow.worker", module]
    done = subprocess.run(
        command,
        env=_environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        reason = f"{title}: {_end(done.returncode)}:\n{tail(done.stderr or done.stdout)}"
        raise CompileError(reason, hint=hint)
    answer = _answer(folder / RESULT)
    if answer is None:
        raise CompileError(f"{title}: the child process left no readable {RESULT}", hint=hint)
    if "message" in answer:
        raise CompileError(f"{title}: {answer['message']}", hint=str(answer.get("hint", "")))
    return answer


def _environment() -> dict[str, str]:
    """Return the child's environment: this very edgeflow, and no choice of a Keras."""
    kept = {key: text for key, text in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    here = str(Path(edgeflow.__file__).parents[1])
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, (here, kept.get("PYTHONPATH"))))}


def _end(code: int) -> str:
    if code > 0:
        return f"the child process ended with exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-code, f"signal {-code}")
    likely = ", likely for want of memory" if name == "SIGKILL" else ""
    return f"the child process crashed with {name}{likely}"


def _answer(path: Path) -> dict[str, Any] | None:
    try:
        answer = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def main(module: str) -> None:
    """Do the job in the working directory, and write the result or why there is none."""
    folder = Path.cwd()
    job = json.loads((folder / JOB).read_bytes())
    try:
        answer = importlib.import_module(module).work(job, folder)
    except EdgeflowError as error:
        answer = {"message": error.message, "hint": error.hint}
    (folder / RESULT).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
