"""Runs a worker in a process of its own: on this machine, in another Python, on a compile host.

A worker is a module with a function `work(job, folder)`, which returns a JSON object. The working
directory holds ``job.json`` and the caller's files; ``result.json`` and the files that the worker
makes are left there. This file needs the standard library of Python 3.7 and nothing of edgeflow.
"""

import hashlib
import importlib
import json
import os
import sys
from pathlib import Path

JOB = "job.json"
RESULT = "result.json"
_BLOCK_BYTES = 1 << 20


def run(module: str, place: str = "") -> None:
    """Do the job, and write the result, or why the worker refuses it.

    Args:
        module: name of the worker.
        place: folder that holds it; by default it is found as any module.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if path and os.path.abspath(path) != here]
    if place:
        sys.path.insert(0, os.path.abspath(place))
    folder = Path.cwd()
    job = json.loads((folder / JOB).read_bytes())
    try:
        answer = {"result": importlib.import_module(module).work(job, folder)}
    except Exception as error:
        if not hasattr(error, "hint"):  # a crash, not a refusal
            raise
        message = getattr(error, "message", str(error))
        answer = {"refusal": {"message": message, "hint": str(error.hint or "")}}
    (folder / RESULT).write_text(json.dumps(answer))


def files(*known: str) -> None:
    """Print the regular files below the working directory, but for those of `known` names."""
    found = []
    for folder, _, names in os.walk("."):
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path)
            if relative not in known and os.path.isfile(path) and not os.path.islink(path):
                size, digest = os.path.getsize(path), _sha256(path)
                found.append({"name": relative, "size_bytes": size, "sha256": digest})
    print(json.dumps({"files": sorted(found, key=lambda entry: entry["name"])}))


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(*sys.argv[2:])
    else:
        files(*sys.argv[2:])
