"""A target's worker: one call, wherever its toolchain is."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.errors import EdgeflowError, IntegrityError
from edgeflow.toolchain import environment
from edgeflow.toolchain.base import Host, Identity, Toolchain
from edgeflow.worker import JOB, RESULT, read_result, run_worker, write_job


@dataclass(frozen=True, kw_only=True, slots=True)
class Worker:
    """Runs the worker of a toolchain in its place.

    Attributes:
        title: what is compiled, for messages.
        toolchain: of the target.
        host: compile host that does the work; None for this machine.
        identity: what the toolchain must be, because the output is stored under that.
    """

    title: str = "the worker"
    toolchain: Toolchain = field(default_factory=Toolchain)
    host: Host = None
    identity: Identity = field(default_factory=dict)

    def run(
        self, job: Mapping[str, Any], files: Mapping[str, Path], out: Path, *, hint: str
    ) -> dict[str, Any]:
        """Let the worker do a job, and return its result; files that it leaves go to `out`.

        Args:
            job: its arguments, as JSON can hold them.
            files: what it finds in its folder, by name there.
            out: folder, which gets all that the worker leaves in its own beside `files`.
            hint: what to do where it crashes.

        Raises:
            CompileError: the worker refused the job, crashed, or left no readable result.
            IntegrityError: the toolchain is another than the one planned with.
            MissingToolError: the toolchain, or a part of it, is missing.
            UnreachableError: the compile host does not answer.
        """
        # Not in the step's folder, and one level down: what lands beside it is no output.
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "job"
            folder.mkdir()
            for inside, path in files.items():
                (folder / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / inside)
            result = self._work(job, folder, hint)
            _move(folder, out, {*files, JOB, RESULT})
        return result

    def _work(self, job: Mapping[str, Any], folder: Path, hint: str) -> dict[str, Any]:
        from edgeflow.targets.identity import identify

        module, title = self.toolchain.worker, self.title
        if module is None:
            raise EdgeflowError(f"the toolchain of {title} names no worker")
        if self.host is None:
            self._require(identify(self.toolchain, None))
            return run_worker(module, job, folder, title=title, hint=hint, python=self._python())
        write_job(job, folder)
        self._work_there(self.host, module, folder, hint)
        return read_result(folder, title=title, hint=hint)

    def _work_there(self, host: Mapping[str, Any], module: str, folder: Path, hint: str) -> None:
        from edgeflow.remote.compile_host import workplace
        from edgeflow.remote.inventory import compile_endpoint
        from edgeflow.remote.session import Session
        from edgeflow.targets.identity import asked_over, programs_say

        endpoint = compile_endpoint(host)
        with Session(endpoint) as session, workplace(session) as place:
            self._require(programs_say(self.toolchain, asked_over(session), endpoint.title))
            place.work(module, folder, title=self.title, hint=hint)

    def _python(self) -> Path | None:
        own = self.toolchain.environment
        return environment.python_of(own, f"the toolchain of {self.title}") if own else None

    def _require(self, found: Identity) -> None:
        changed = sorted(name for name, text in found.items() if self.identity.get(name) != text)
        if self.identity and changed:
            raise IntegrityError(
                f"{self.title}: {', '.join(changed)} is of another version than planned with",
                hint="run `edgeflow run` again",
            )


def _move(folder: Path, out: Path, known: set[str]) -> None:
    """Move the regular files of a folder that are not `known`, as a compile host sends them."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and name not in known:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, out / name)
