"""Work on a compile host: files go there, a worker runs, its files come back; nothing is left.

What the host says of files is believed only as far as it fits: names that stay in the folder, sizes
within bounds, bytes of the digest that was promised.
"""

import posixpath
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from edgeflow.artifact.hashing import sha256_file
from edgeflow.errors import DeployError, EdgeflowError, IntegrityError
from edgeflow.output import log_printed
from edgeflow.remote.answer import Answer, Count, Sha256, malformed, parse
from edgeflow.remote.diagnose import unwritable
from edgeflow.remote.session import Completed, Session
from edgeflow.text import tail
from edgeflow.worker import CHILD, FIXED, crashed, source_of

SHORT_S = 60.0
"""Longest time that the host may take to list files, or to make or remove a folder."""
FILES_MAX = 1000
BYTES_MAX = 2 << 30
_PARENT = ".compile"  # no model's folder: their names begin with a letter or digit
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"


class _File(Answer):
    name: Annotated[str, Field(max_length=200, pattern=rf"^{_PART}(/{_PART}){{0,9}}$")]
    size_bytes: Count
    sha256: Sha256


class _Files(Answer):
    files: Annotated[list[_File], Field(max_length=FILES_MAX)]


class Workplace:
    """A folder of its own on a compile host, for one piece of work."""

    def __init__(self, session: Session, folder: str) -> None:
        self._session, self._folder = session, folder

    def work(self, module: str, folder: Path, *, title: str, hint: str) -> None:
        """Run a worker over the files of a folder, and bring what it made into that folder.

        Args:
            module: dotted name of the worker.
            folder: holds job.json and the worker's other files.
            title: what is being done, for messages.
            hint: what to do where the worker crashes.

        Raises:
            CompileError: the worker crashed.
            DeployError: it did not end in time, or what the host says cannot be believed.
            IntegrityError: other bytes came back than the host promised.
            UnreachableError: the connection was lost.
        """
        sent = _inside(folder)
        self._put("job", folder, sent)
        self._put("program", CHILD.parent, [CHILD.name])
        source = source_of(module)
        inside = _inside(source) if source.is_dir() else [""]
        self._put("program", source.parent, [posixpath.join(source.name, n) for n in inside])
        limit_s = self._session.endpoint.run_timeout_s
        done = self._child(limit_s, "run", module.rpartition(".")[2], "../program")
        log_printed(done.stdout, done.stderr)
        if done.exit_code != 0:
            raise crashed(title, done.exit_code, done.stderr or done.stdout, hint)
        self._fetch(folder, sent)

    def _child(self, limit_s: float, verb: str, *arguments: str) -> Completed:
        fixed = [f"{name}={value}" for name, value in FIXED.items()]
        program = [
            "env",
            *fixed,
            self._session.python,
            "-X",
            "faulthandler",
            f"../program/{CHILD.name}",
            verb,
        ]
        return self._session.run([*program, *arguments], limit_s, f"{self._folder}/job")

    def _put(self, place: str, folder: Path, names: Iterable[str]) -> None:
        for name in names:
            path = posixpath.normpath(posixpath.join(self._folder, place, name))
            self._session.put(folder / name, path)

    def _fetch(self, folder: Path, sent: Sequence[str]) -> None:
        title, said = self._session.endpoint.title, self._child(SHORT_S, "files", *sent).stdout
        files = parse(_Files, said, device=title, program="the worker").files
        if reason := _unfit(files, sent):
            raise malformed(title, "the worker", reason)
        for file in files:
            local = folder / file.name
            local.parent.mkdir(parents=True, exist_ok=True)
            self._session.get(f"{self._folder}/job/{file.name}", local, file.size_bytes)
            if sha256_file(local) != file.sha256:
                raise IntegrityError(
                    f"{file.name} from {title} has other bytes than it promised",
                    hint="run the same command again; if it stays, check the host's storage",
                )


@contextmanager
def workplace(session: Session) -> Iterator[Workplace]:
    """Give a new folder on a compile host that only its account can read, and remove it."""
    parent = f"{session.endpoint.path}/{_PARENT}"
    folder = f"{parent}/{secrets.token_hex(8)}"
    _do(session, "mkdir", "-p", parent)
    # What a killed build or a lost connection left; no work takes that long.
    old = ("-mindepth", "1", "-maxdepth", "1", "-mtime", "+7")
    _do(session, "find", parent, *old, "-exec", "rm", "-rf", "{}", "+")
    _do(session, "mkdir", "-m", "700", folder, f"{folder}/job", f"{folder}/program")
    try:
        yield Workplace(session, folder)
    finally:
        with suppress(EdgeflowError):  # a lost connection; the next work removes it
            session.run(["rm", "-rf", folder], SHORT_S)


def _do(session: Session, *argv: str) -> None:
    done = session.run(argv, SHORT_S)
    if done.exit_code != 0:
        endpoint, reason = session.endpoint, tail(done.stderr)
        raise DeployError(
            f"{endpoint.title} cannot make a folder for the work: {reason}",
            hint=unwritable(endpoint, reason) or f"look at it: {endpoint.shell_command('df -h')}",
        )


def _inside(folder: Path) -> list[str]:
    """Return the relative names of all files below a folder, but for compiled Python."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path.relative_to(folder).as_posix() for path in paths if path.suffix != ".pyc"]


def _unfit(files: Sequence[_File], sent: Iterable[str]) -> str:
    """Return what is wrong with the files that a host offers; empty where nothing is."""
    names = [file.name for file in files]
    taken = {*names, *sent}
    folders = {str(parent) for name in taken for parent in PurePosixPath(name).parents}
    if len(taken) != len(names) + len(set(sent)) or folders & taken:
        return "two files of one name"
    total = sum(file.size_bytes for file in files)
    return f"{total} bytes, more than {BYTES_MAX}" if total > BYTES_MAX else ""
