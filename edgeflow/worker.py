"""Work in a child process, which may crash without taking the step with it.

A worker is a module with a function `work(job, folder)`. The child finds ``job.json`` and the
caller's files in the folder, and leaves ``result.json`` and files of its own there. It refuses a
job by an exception that has a `hint`, such as a leaf of `edgeflow.errors`; all else is a crash.
A worker that runs in another Python, or on a compile host, is one file or one package of the
standard library and what is installed there: edgeflow is not.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import edgeflow
from edgeflow import plugins
from edgeflow.errors import CompileError, EdgeflowError
from edgeflow.ondevice import worker as child
from edgeflow.output import run_logged
from edgeflow.text import last_words

JOB, RESULT = child.JOB, child.RESULT
CHILD = Path(child.__file__)
"""The program that runs a worker, wherever that is."""
FIXED = {"PYTHONHASHSEED": "0"}
"""Some compilers write what they hold in sets: the same input must give the same bytes."""


def run_worker(
    module: str,
    job: Mapping[str, Any],
    folder: Path,
    *,
    title: str,
    hint: str,
    python: Path | None = None,
) -> dict[str, Any]:
    """Run a worker module, and return its result; what it prints goes to the step's log.

    Args:
        module: dotted name of the module.
        job: its arguments, as JSON can hold them; paths are relative to `folder`, or absolute.
        folder: the child's working directory, with the files that it reads and writes.
        title: what is being done, for messages.
        hint: what to do where the child fails without a message of its own.
        python: interpreter of another environment; by default it is edgeflow's own.

    Raises:
        CompileError: the worker refused the job, crashed, or left no readable result.
    """
    write_job(job, folder)
    with _command(module, python) as command:
        done = run_logged(command, env=_environment() if python is None else _bare(), cwd=folder)
    if done.exit_code != 0:
        raise crashed(title, done.exit_code, done.stderr or done.stdout, hint)
    return read_result(folder, title=title, hint=hint)


def write_job(job: Mapping[str, Any], folder: Path) -> None:
    """Write what a worker reads first, and remove what an earlier one left."""
    (folder / JOB).write_text(json.dumps(job))
    (folder / RESULT).unlink(missing_ok=True)


def read_result(folder: Path, *, title: str, hint: str) -> dict[str, Any]:
    """Return the result that a worker left; the arguments are those of `run_worker`.

    Raises:
        CompileError: the worker refused the job, or left no readable result.
    """
    answer = _json(folder / RESULT)
    result, refusal = answer.get("result"), answer.get("refusal")
    if isinstance(refusal, dict):
        raise CompileError(
            f"{title}: {refusal.get('message')}", hint=str(refusal.get("hint") or "")
        )
    if not isinstance(result, dict):
        raise CompileError(f"{title}: the worker left no readable {RESULT}", hint=hint)
    return result


def crashed(title: str, code: int, said: str, hint: str) -> CompileError:
    """Return the failure of a worker that ended without a result.

    Args:
        title: what was being done.
        code: its exit code; negative where a signal ended it.
        said: what it printed.
        hint: what to do.
    """
    return CompileError(f"{title}: {_end(code)}:{last_words(said, code)}", hint=hint)


def source_of(module: str) -> Path:
    """Return the file of a worker's module, or its folder if it is a package.

    Raises:
        EdgeflowError: there is no such module.
    """
    spec = plugins.find_module(module)
    if spec is None or spec.origin is None:
        raise EdgeflowError(f"no module {module}", hint="reinstall the package that provides it")
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations else file


@contextmanager
def _command(module: str, python: Path | None) -> Iterator[list[str]]:
    """Give the command that runs a worker; beside a worker elsewhere lies nothing to import."""
    if python is None:
        yield [sys.executable, "-P", "-X", "faulthandler", str(CHILD), "run", module]
        return
    with tempfile.TemporaryDirectory() as place:
        source = source_of(module)
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, Path(place) / source.name)
        name = module.rpartition(".")[2]
        yield [str(python), "-s", "-X", "faulthandler", str(CHILD), "run", name, place]


def _environment() -> dict[str, str]:
    """Return the child's environment: this very edgeflow, and no choice of a Keras."""
    kept = {key: text for key, text in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    here = str(Path(edgeflow.__file__).parents[1])
    path = os.pathsep.join(filter(None, (here, kept.get("PYTHONPATH"))))
    return {**kept, **FIXED, "PYTHONPATH": path}


def _bare() -> dict[str, str]:
    """Return the environment of a child in another Python: nothing that is meant for this one."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, **FIXED}


def _end(code: int) -> str:
    if code > 0:
        return f"the worker ended with exit code {code}"
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-code, f"signal {-code}")
    likely = ", likely for want of memory" if name == "SIGKILL" else ""
    return f"the worker crashed with {name}{likely}"


def _json(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where the file holds none."""
    try:
        answer = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
