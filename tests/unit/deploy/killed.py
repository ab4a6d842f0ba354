"""Runs a verb of the agent in copies of a folder, each time cut before one more system call.

``python -m tests.unit.deploy.killed TEMPLATE COPIES VERB ARGUMENTS...`` leaves copy 0, cut
before the first call that writes, copy 1, cut before the second, and so on; the last one was
not cut. It prints the calls as one JSON list.

A cut is what a power cut is at its worst: the process is killed, and of each file what was not
brought to the disk by fsync is lost. A file system that keeps names in the order in which they were
changed, such as ext4, loses no more; of those that it has not written yet the copies before tell.
"""

import importlib
import io
import json
import os
import pkgutil
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from edgeflow.ondevice import agent
from tests.unit.deploy.trials import in_this_process

WRITES = ("rename", "replace", "symlink", "unlink", "rmdir", "mkdir", "fsync", "chmod", "fchmod")


class Killer:
    """Counts the calls that write; `kill_at` is the one before which the process ends."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at
        self.calls: list[str] = []
        self._files: dict[int, int] = {}  # size on the disk, by descriptor of each written file

    def tick(self, call: str) -> None:
        """Note a call that is about to be made, or end the process instead."""
        if len(self.calls) == self._kill_at:
            for descriptor, size in self._files.items():
                os.ftruncate(descriptor, size)
            os.kill(os.getpid(), signal.SIGKILL)
        self.calls.append(call)

    def hook(self) -> None:
        """Count the calls of this process from now on."""
        for name in WRITES:
            setattr(os, name, self._counted(name, getattr(os, name)))
        for module in pkgutil.iter_modules(agent.__path__, f"{agent.__name__}."):
            vars(importlib.import_module(module.name))["open"] = self._open

    def _counted(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            where = arguments[-1] if name in ("rename", "replace", "symlink") else arguments[0]
            if isinstance(where, int):
                where = Path(f"/proc/self/fd/{where}").readlink()
            self.tick(f"{name} {Path(where).name}")
            result = call(*arguments, **options)
            if name == "fsync":
                self._synced(os.fstat(arguments[0]))
            return result

        return counted

    def _open(
        self,
        path: str,
        mode: str = "r",
        errors: str | None = None,
        opener: Callable[[str, int], int] | None = None,
    ) -> Any:
        if mode in ("r", "rb"):
            return open(path, mode, errors=errors, opener=opener)  # as asked
        self.tick(f"open {Path(path).name}")
        file = open(path, mode, errors=errors, opener=opener)  # noqa: SIM115 # as above
        size = os.fstat(file.fileno()).st_size
        self._files[os.dup(file.fileno())] = size
        return Written(file, self)

    def _synced(self, facts: os.stat_result) -> None:
        for descriptor in self._files:
            if os.path.samestat(os.fstat(descriptor), facts):
                self._files[descriptor] = facts.st_size


class Written:
    """A file whose writes are counted when they leave the process."""

    def __init__(self, file: Any, killer: Killer) -> None:
        self._file, self._killer = file, killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def writelines(self, blocks: Iterable[bytes]) -> None:
        """Write blocks, each of which is a call."""
        for block in blocks:
            self._file.write(block)
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        self._killer.tick(f"write {Path(self._file.name).name}")
        self._file.flush()

    def truncate(self, size: int) -> None:
        """Cut the file."""
        self._killer.tick(f"truncate {Path(self._file.name).name}")
        self._file.truncate(size)


def attempt(copy: Path, kill_at: int, verb: str, arguments: list[str]) -> bool:
    """Run the verb in a child process; return whether it came to its end."""
    child = os.fork()
    if not child:
        killer = Killer(kill_at)
        in_this_process()
        killer.hook()
        sys.stdout = io.StringIO()
        code = agent.main([verb, str(copy), *arguments])
        os.write(1, json.dumps(killer.calls).encode())
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        sys.exit(f"{verb} failed where it was not killed")
    return not os.WIFSIGNALED(status)


def main(template: str, copies: str, verb: str, *arguments: str) -> None:
    """Make the copies."""
    kill_at, ended = 0, False
    while not ended:
        copy = Path(copies) / str(kill_at)
        shutil.copytree(template, copy, symlinks=True)
        ended = attempt(copy, kill_at, verb, list(arguments))
        kill_at += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
