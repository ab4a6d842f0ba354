"""Starts `snakemake` in forks of one process that has imported it, which a start does for a second.

Of edgeflow that process has imported nothing: a fork reads the project's own copy, as it is now.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

COMMAND = Path(sys.executable).with_name("snakemake")
IMPORTED = (
    *("snakemake.cli", "snakemake.api", "snakemake_executor_plugin_slurm", "pydantic"),
    *("paramiko", "smart_open.transport", "yaml", "jinja2", "rich.console", "filelock", "numpy"),
)
"""What every Snakemake of edgeflow's imports, but edgeflow itself."""


class WarmSnakemake:
    """The process that is forked; it ends with this one."""

    def __init__(self) -> None:
        one_thread = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one_thread, "PYTHONPATH": ""},
        )
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], timeout_s: int
    ) -> "subprocess.CompletedProcess[str]":
        """Do what `subprocess.run` would with the command; what takes too long is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            said = [Path(folder, name) for name in ("stdout", "stderr")]
            argv = [str(COMMAND), *arguments]
            request = {
                "argv": argv,
                "cwd": str(cwd),
                "environment": dict(environment),
                "said": list(map(str, said)),
                "timeout_s": timeout_s,
            }
            print(json.dumps(request), file=self._process.stdin, flush=True)
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(argv, code, *(path.read_text() for path in said))


@functools.cache
def warm_snakemake() -> WarmSnakemake:
    """Return the one of this process."""
    return WarmSnakemake()


def become(argv: list[str], cwd: str, environment: dict[str, str], said: list[str]) -> None:
    """Let this fork be what a fresh process would be."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [nothing, *(os.open(path, os.O_CREAT | os.O_WRONLY) for path in said)]
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv[:] = argv
    sys.orig_argv[:] = [sys.executable, *argv]
    own = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(COMMAND.parent), *own]


def serve() -> None:
    """Fork for each request, and answer with the exit code; return in the fork."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        pid = os.fork()
        if pid == 0:
            signal.alarm(request.pop("timeout_s"))
            become(**request)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    sys.exit()


def main() -> NoReturn:
    for name in IMPORTED:
        importlib.import_module(name)
    alone = len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  # else a fork may hang
    ours = [name for name in sys.modules if name.partition(".")[0] == "edgeflow"]
    assert alone, "an import has started a thread"
    assert not ours, ours
    gc.freeze()
    serve()
    sys.exit(importlib.import_module("snakemake.cli").main())


if __name__ == "__main__":
    main()
