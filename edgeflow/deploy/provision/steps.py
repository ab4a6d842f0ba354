"""What provisioning does to a device, one thing after the other; what is in place stays."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from edgeflow.deploy.agent import Agent
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.provision import keys
from edgeflow.deploy.provision.boot import Entry, entries, service_entry
from edgeflow.deploy.provision.look import Done, Found, call
from edgeflow.deploy.provision.wheels import archive, key
from edgeflow.deploy.release import OpenDevice
from edgeflow.deploy.service import end
from edgeflow.errors import DeployError
from edgeflow.remote.inventory import OWN_PYTHON, Endpoint
from edgeflow.remote.session import Session
from edgeflow.text import clean, excerpt
from edgeflow.toolchain.environment import folder

State = Literal["in place", "changed", "would change", "not done"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a device is to have.

    Attributes:
        lock: packages of the engine; None where edgeflow knows none that the registry has.
        online: the device installs them from the registry itself.
        trust: files for ``trust/`` on the device, by name, with their content.
        deploys: public key that is to run edgeflow's programs alone; None changes no key.
        services: models that the device is to serve.
        silent: models that it has, and is not to serve.
        boot: whether the device may be asked to run something at boot.
    """

    lock: Path | None
    online: bool = False
    trust: Mapping[str, bytes] = field(default_factory=dict)
    deploys: str | None = None
    services: Sequence[str] = ()
    silent: Sequence[str] = ()
    boot: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that a device has now, or would have, or cannot have."""

    what: str
    state: State
    detail: str


def provision(where: Endpoint, wanted: Wanted, *, dry_run: bool) -> list[Step]:
    """Give a device what is missing, and say of each thing what became of it.

    Args:
        where: a login that may do anything there.
        wanted: what it is to have.
        dry_run: say what would change, and change nothing.

    Raises:
        DeployError: the device refuses something.
        MissingToolError: packages cannot be had for it.
        UnreachableError: it does not answer, or the connection was lost.
    """
    with Session(where) as session:
        found = call(session, Found, "look", where.path)
        work = _Work(session, found, wanted, dry_run)
        steps = (work.agent, work.environment, work.trust, work.key, work.boot)
        return [step for steps_of in steps for step in steps_of()]


class _Work:
    def __init__(self, session: Session, found: Found, wanted: Wanted, dry_run: bool) -> None:
        self._session, self._found = session, found
        self._wanted, self._dry_run = wanted, dry_run
        self._root = session.endpoint.path
        self._changed: State = "would change" if dry_run else "changed"

    def agent(self) -> Iterator[Step]:
        """Bring the agent there."""
        digest = _agent_sha256()
        there = self._found.programs.get(f"agent-{digest}.pyz") == digest
        if not self._dry_run and (self._session.asked or not there):
            Agent(self._session).bring()
        yield Step(
            what="agent",
            state="in place" if there else self._changed,
            detail=f"bin/agent-{digest[:12]}…",
        )

    def environment(self) -> Iterator[Step]:
        """Make the engine's environment there."""
        lock = self._wanted.lock
        if lock is None:
            detail = "the registry has no engine for this target; its makers say how to install it"
            yield Step(what="environment", state="not done", detail=detail)
            return
        name = key(lock, self._found.machine_of(self._session.endpoint.title))
        there = self._found.environment == name
        if not there and not self._dry_run:
            self._make(lock, name)
        detail = f"env/{name[:12]}… of {lock.name}, Python {self._found.python}"
        yield Step(what="environment", state="in place" if there else self._changed, detail=detail)

    def _make(self, lock: Path, name: str) -> None:
        session, root = self._session, self._root
        if call(session, Done, "use", f"{root}/env", name).used:
            return
        if self._wanted.online:
            session.put(lock, f"{root}/env/{name}.txt")
            done = call(session, Done, "online", root, name, f"{root}/env/{name}.txt")
        else:
            packages = archive(lock, self._found.machine_of(session.endpoint.title), folder())
            session.put(packages, f"{root}/env/{name}.tar.gz")
            done = call(session, Done, "environment", root, name, f"{root}/env/{name}.tar.gz")
        if done.failed:
            raise DeployError(
                f"{session.endpoint.title} cannot install {lock.name} itself: {clean(done.failed)}",
                hint="leave --online out: the packages are then fetched here and sent, and neither "
                "pip nor venv is needed there",
            )

    def trust(self) -> Iterator[Step]:
        """Bring the files that say whose bundles are accepted."""
        for name, content in self._wanted.trust.items():
            state = self._bring(name, content)
            yield Step(what=f"trust/{name}", state=state, detail="by `signing:`")

    def _bring(self, name: str, content: bytes) -> State:
        """Bring a file of trust there, unless it is."""
        if self._found.trust.get(name) == hashlib.sha256(content).hexdigest():
            return "in place"
        if not self._dry_run:
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch) / name
                path.write_bytes(content)
                self._session.put(path, f"{self._root}/trust/{name}")
        return self._changed

    def key(self) -> Iterator[Step]:
        """Let the key that deploys run edgeflow's programs, and nothing else."""
        public, where = self._wanted.deploys, self._session.endpoint
        if public is None:
            return
        if self._found.authorized is None:
            raise DeployError(
                f"the keys that may log in to {where.title} cannot be read, and are left alone",
                hint=f"look at them: {where.shell_command('ls -l .ssh/authorized_keys')}",
            )
        line = keys.entry(public, self._found.root, self._python())
        keys.require_free(public, line, self._found.authorized, where.title)
        files = keys.files(where.unit, self._root)
        states = {self._bring(name, text) for name, text in files.items()}
        there = [it for it in self._found.authorized if public.split()[1] in it.split()]
        if there != [line]:
            states.add(self._changed)
            if not self._dry_run:
                done = call(self._session, Done, "authorize", line)
                if done.failed:
                    raise DeployError(
                        f"{where.title} cannot let the key in: {excerpt(clean(done.failed))}",
                        hint=f"look at it: {where.shell_command('ls -l .ssh/authorized_keys')}",
                    )
        state = self._changed if self._changed in states else "in place"
        yield Step(what="key", state=state, detail="runs edgeflow's programs, and nothing else")

    def boot(self) -> Iterator[Step]:
        """Let the agent put things right at boot, and services start."""
        found, agent = self._found, f"agent-{_agent_sha256()}.pyz"
        if not self._wanted.boot or found.boot is None:
            detail = "it has neither systemd nor cron: run `recover` by what starts it"
            if not self._wanted.boot:
                detail = "a virtual device does not boot"
            yield Step(what="recover at boot", state="not done", detail=detail)
            return
        if found.recovers_by != agent and not self._dry_run:
            call(self._session, Done, "link", self._root, agent)
        for entry in entries(found, self._python(), self._wanted.services):
            yield self._enter(entry)
        for model in self._wanted.silent:
            entry = service_entry(found, self._python(), model)
            if entry.is_known(found):
                yield self._leave(entry, model)

    def _enter(self, entry: Entry) -> Step:
        by_systemd, detail = self._found.boot == "systemd", f"by {self._found.boot}"
        there = entry.is_in_place(self._found)
        if there or self._dry_run:
            state: State = "in place" if there else self._changed
            return Step(what=entry.what, state=state, detail=detail)
        arguments = ("unit", entry.unit, entry.text)
        if not by_systemd:
            arguments = ("cron", entry.line, entry.mark)
        done = call(self._session, Done, *arguments)
        if done.failed:
            linger = f"; as root: loginctl enable-linger {self._session.endpoint.user}"
            detail = excerpt(clean(done.failed)) + (linger if by_systemd else "")
            return Step(what=entry.what, state="not done", detail=detail)
        return Step(what=entry.what, state=self._changed, detail=detail)

    def _leave(self, entry: Entry, model: str) -> Step:
        """Let a service end that the configuration no longer has, and start no more."""
        detail = "taken away: the device has no `service` in the configuration"
        if not self._dry_run:
            end(OpenDevice(self._session), model)
            if entry.is_known(call(self._session, Found, "look", self._root)):
                detail = f"{self._found.boot} still has it: take it out by hand"
                return Step(what=entry.what, state="not done", detail=detail)
        return Step(what=entry.what, state=self._changed, detail=detail)

    def _python(self) -> str:
        """Return the interpreter that has the engine, once all is done."""
        own = f"{self._found.root}/{OWN_PYTHON}"
        uses_own = self._session.endpoint.own_python and self._wanted.lock
        return own if uses_own else self._session.python


def _agent_sha256() -> str:
    return hashlib.sha256(agent_program()).hexdigest()
