"""A device as deploy, validate and gate see it: releases, data files, programs."""

import json
import posixpath
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeflow.artifact.hashing import sha256_file
from edgeflow.console import say
from edgeflow.deploy.agent import QUICK_S, Agent, Refusal, uploader
from edgeflow.deploy.agent_answer import (
    Collected,
    Confirmed,
    Forgotten,
    Form,
    History,
    Installed,
    Listing,
    Logged,
    Pruned,
    ReadyForBundle,
    ReadyForData,
    Retired,
    RolledBack,
    Room,
    Status,
    StoredData,
    StoredModel,
    Switched,
    Verified,
)
from edgeflow.deploy.fit import require_fit
from edgeflow.deploy.parcel import Need, Parcel, parcels
from edgeflow.deploy.runner import EXIT_MISSING, Missing
from edgeflow.errors import DeployError, MissingToolError, UnreachableError
from edgeflow.ondevice.agent.uploads import upload_name
from edgeflow.remote.answer import A, malformed, parse
from edgeflow.remote.inventory import Endpoint, endpoint, parse_device
from edgeflow.remote.session import INTERPRETER, Session
from edgeflow.text import clean, excerpt, last_words

LOCKS = Path(".edgeflow/locks")
KEEP_RELEASES = 3
DATA_INODES = 3
"""The folder of a data file, the file, and a lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """How a bundle came to a device.

    Attributes:
        bytes: how many were sent.
        form: of what was sent; None where it was there already.
        signed_by: who signed it, as the device has verified; None where nobody had to.
    """

    bytes: int
    form: Form | None
    signed_by: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """What a device serves after a release was rejected.

    Attributes:
        current: digest of the bundle in use, if any.
        rolled_back: whether the rejected release was in use.
    """

    current: str | None
    rolled_back: bool

    def __str__(self) -> str:
        if not self.rolled_back:
            serves = f"still serves release {self.current[:12]}" if self.current else "serves none"
            return f"the release was not in use; the device {serves}"
        if self.current:
            return f"the device went back to release {self.current[:12]}"
        return "the device now serves no release: it has none to go back to"


class OpenDevice:
    """A device with an open session and its agent in place."""

    def __init__(self, session: Session) -> None:
        self.endpoint: Endpoint = session.endpoint
        self._session = session
        self._agent = Agent(session)

    @property
    def agent_sha256(self) -> str:
        """Digest of the agent that answers."""
        return self._agent.sha256

    def model_dir(self, model: str) -> str:
        """Return a model's folder on the device: absolute, or relative to where programs start."""
        return posixpath.join(self._session.home, self.endpoint.path, model)

    def status(self, model: str) -> Status:
        """Ask the device what it has of a model."""
        return self._agent.call(Status, "status", self.model_dir(model))

    def install(self, model: str, bundle: Path, sha: str, status: Status) -> Sent:
        """Bring a bundle to the device, without using it yet; a cut upload is continued.

        What is sent is the smallest of its forms: of the files that releases on the device hold,
        the device makes the bundle's tar itself.
        """
        require_fit(self.endpoint, bundle, status)
        need = Need.of(bundle)
        folder, mine = self.model_dir(model), ("--uploader", uploader())
        room = ("--need-bytes", str(need.bytes), "--need-inodes", str(need.inodes))
        keep = str(KEEP_RELEASES)
        ready = self._call(ReadyForBundle, "prepare", folder, sha, keep, *room, *mine)
        if ready.intact:
            return Sent(bytes=0, form=None, signed_by=ready.signed_by)
        with parcels(bundle, ready.held, zstd=status.zstd is not None) as forms:
            smallest = min(forms, key=lambda parcel: parcel.left(ready.received))
            try:
                return self._deliver(model, sha, smallest, ready, need)
            except Refusal as refusal:  # what the device holds has changed since it was asked
                if refusal.kind not in ("absent", "corrupt") or smallest.is_whole:
                    raise
                say(f"{refusal.message}; sending all of it")
            whole = min((parcel for parcel in forms if parcel.is_whole), key=Parcel.size)
            sent = self._deliver(model, sha, whole, ready, need)
            return replace(sent, bytes=sent.bytes + smallest.size())

    def _deliver(
        self, model: str, sha: str, parcel: Parcel, ready: ReadyForBundle, need: Need
    ) -> Sent:
        received = ready.received.get(parcel.form, 0)
        self._require_room(parcel.path, ready, need.bytes - received, need.inodes)
        name = upload_name(sha, uploader(), parcel.form)
        part = posixpath.join(self.endpoint.path, model, "incoming", name)
        sent = self._session.put(parcel.path, part, part)
        how = ["--form", parcel.form, "--uploader", uploader()]
        if parcel.packed_from is not None:
            how += ["--packed-from", str(parcel.packed_from)]
        answer = self._call(Installed, "install", self.model_dir(model), sha, *how)
        self._expect("install", answer.installed, sha)
        return Sent(bytes=sent, form=parcel.form, signed_by=answer.signed_by)

    def verify(self, model: str, sha: str) -> None:
        """Check that a release is on the device, whole.

        Raises:
            DeployError: it is not.
        """
        answer = self._of_release(Verified, "verify", model, sha)
        self._expect("verify", answer.verified, sha)

    def activate(
        self,
        model: str,
        sha: str,
        *,
        allow_downgrade: bool = False,
        max_latency_ms: float | None = None,
        max_rss_mb: float | None = None,
    ) -> bool:
        """Make a release that passed its gates current; return whether it was not.

        The device switches to it and tries it; what confirms it is a second connection, which
        shows that the device can still be reached. Without that it goes back by itself.

        Args:
            allow_downgrade: accept a lower counter than one that was confirmed there.
            max_latency_ms: bound on the median inference of its golden vectors.
            max_rss_mb: bound on the resident memory of its runner, in MB of 1e6 bytes.

        Raises:
            Refusal: the device does not take it, or has gone back; `kind` says which.
            DeployError: it is not on the device, or not whole.
            UnreachableError: the connection was lost; the device goes back unless it is confirmed.
        """
        health_s = self.endpoint.run_timeout_s
        options = ["--python", self._agent.python, *self._unit()]
        options += ["--health-s", str(health_s), "--confirm-s", str(self.endpoint.confirm_s)]
        options += ["--allow-downgrade"] if allow_downgrade else []
        options += ["--max-latency-ms", str(max_latency_ms)] if max_latency_ms is not None else []
        options += ["--max-rss-mb", str(max_rss_mb)] if max_rss_mb is not None else []
        limit_s = health_s + QUICK_S
        answer = self._of_release(Switched, "switch", model, sha, *options, timeout_s=limit_s)
        self._expect("switch", answer.current, sha)
        if answer.token is not None:
            self._confirm(model, sha, answer.token)
        return answer.changed

    def _confirm(self, model: str, sha: str, token: str) -> None:
        """Confirm a switch over connections of their own, until its time is over."""
        deadline = time.monotonic() + self.endpoint.confirm_s
        while True:
            try:
                self._confirm_once(model, sha, token)
                return
            except UnreachableError as error:
                if time.monotonic() >= deadline:
                    raise UnreachableError(
                        f"{error.message}; unless the confirmation of release {sha[:12]} arrived, "
                        "the device goes back to the release before by itself",
                        hint=error.hint,
                    ) from error
                time.sleep(1.0)

    def _confirm_once(self, model: str, sha: str, token: str) -> None:
        with connect(self.endpoint) as again:
            current = again._of_release(Confirmed, "confirm", model, sha, token).current
        if current != sha:
            raise DeployError(
                f"device {self.endpoint.name} uses {current} instead of {sha}",
                hint="run the same command again",
            )

    def reject(self, model: str, sha: str, reason: str, *, if_current: bool = False) -> Rejection:
        """Take a release out of use if it is current, and never go back to it.

        Args:
            if_current: reject nothing where another one is in use.

        Raises:
            Refusal: another one is; its kind is ``refused``.
        """
        folder, only = self.model_dir(model), ["--if-current"] if if_current else []
        answer = self._call(RolledBack, "rollback", folder, sha, "--reason", reason, *only)
        if answer.current == sha:
            raise DeployError(
                f"device {self.endpoint.name} still uses {sha}, which was rejected: {reason}",
                hint="run the same command again",
            )
        return Rejection(current=answer.current, rolled_back=answer.rolled_back)

    def retire(self, model: str, sha: str, reason: str) -> bool:
        """Take a release out of use and keep it, ready to serve again; return whether it was."""
        folder = self.model_dir(model)
        answer = self._call(Retired, "retire", folder, sha, "--reason", reason)
        if answer.current == sha:
            raise DeployError(
                f"device {self.endpoint.name} still uses {sha}", hint="run the same command again"
            )
        return answer.changed

    def prune(self, model: str) -> None:
        """Remove the releases that are not worth keeping; never the current or previous one."""
        self._call(Pruned, "prune", self.model_dir(model), str(KEEP_RELEASES))

    def history(self, model: str, last: int) -> History:
        """Return the last entries of a model's audit log, and whether anybody changed it."""
        return self._call(History, "history", self.model_dir(model), "--last", str(last))

    def logs(self, model: str, last: int) -> tuple[str, ...]:
        """Return the last lines that a model's service printed."""
        answer = self._call(Logged, "logs", self.model_dir(model), "--last", str(last))
        return tuple(clean(line) for line in answer.lines)

    def gc(self) -> int:
        """Remove what nothing there needs any more; return the bytes that gave back."""
        root = posixpath.join(self._agent.home, self.endpoint.path)
        return self._call(Collected, "gc", root, str(KEEP_RELEASES)).freed_bytes

    def models(self) -> tuple[StoredModel, ...]:
        """Return the models on the device."""
        root = posixpath.join(self._session.home, self.endpoint.path)
        return self._call(Listing, "models", root).models

    def forget(self, model: str) -> None:
        """Remove a model with all its releases.

        Raises:
            DeployError: it is not on the device.
        """
        self._call(Forgotten, "forget", self.model_dir(model))

    def send_data(self, path: Path) -> str:
        """Bring a data file to the device, once, and return its absolute path there."""
        sha = sha256_file(path)
        folder = posixpath.join(self.endpoint.path, "data")
        where = (posixpath.join(self._agent.home, folder), sha, path.name, "--uploader", uploader())
        need_bytes = int(path.stat().st_size * 1.1)
        ready = self._call(ReadyForData, "find-data", *where, "--need-bytes", str(need_bytes))
        if not ready.stored:
            self._require_room(path, ready, need_bytes - ready.received_bytes, DATA_INODES)
            self._expect("find-data", ready.part[: len(sha)], sha)
            part = posixpath.join(folder, ready.part)
            self._session.put(path, part, part)
            stored = self._call(StoredData, "store-data", *where)
            self._expect("store-data", stored.path, ready.path)
        self._expect("find-data", ready.path, posixpath.join(*where[:3]))
        return ready.path

    def send_samples(self, model: str, path: Path) -> str:
        """Bring samples to the device in the place of this project's last ones; return its path."""
        remote = posixpath.join(self.endpoint.path, model, f"samples.{uploader()}.npy")
        self._session.put(path, remote)
        return posixpath.join(self._agent.home, remote)

    def run_release(self, model: str, sha: str, argv_tail: Sequence[str], timeout_s: float) -> str:
        """Run a release's runner in the model's folder and return what it printed.

        Raises:
            DeployError: it fails, does not end within `timeout_s`, or lacks hardware.
            MissingToolError: it lacks numpy or the engine.
        """
        folder = posixpath.join(self._agent.home, self.model_dir(model))
        runner = posixpath.join(folder, "releases", sha, "runner.py")
        # -B: a release is read-only, no compiled files beside its own.
        program = [INTERPRETER, "-B", runner, *self._about(), *argv_tail]
        done = self._session.run(program, timeout_s, folder)
        if done.exit_code == EXIT_MISSING:
            raise self._lacks(
                parse(Missing, done.stdout, device=self.endpoint.title, program=model)
            )
        if done.exit_code != 0:
            how = f"exit code {done.exit_code}"
            if done.exit_code < 0:
                how = f"killed by signal {-done.exit_code}; is its memory full?"
            raise DeployError(
                f"the runner of {model} failed on device {self.endpoint.name} ({how}):"
                f"{last_words(done.stderr, done.exit_code)}",
                hint=f"look at the device: {self.endpoint.shell_command()}",
            )
        return done.stdout

    def serve(self, kind: type[A], model: str, sha: str, action: str, timeout_s: float) -> A:
        """Start or stop the service of a model by a release's program, or ask how it is.

        Raises:
            DeployError: the program fails, or answers something else.
        """
        folder = self.model_dir(model)
        runner = posixpath.join(folder, "releases", sha, "runner.py")
        program = [INTERPRETER, "-B", runner, "serve", folder, action]
        done = self._session.run(program, timeout_s, folder)
        if done.exit_code != 0:
            raise DeployError(
                f"the service of {model} on device {self.endpoint.name} cannot {action}:"
                f"{last_words(done.stderr, done.exit_code)}",
                hint=f"look at the device: {self.endpoint.shell_command()}",
            )
        return parse(kind, done.stdout, device=self.endpoint.title, program="the service")

    def ask(self, kind: type[A], verb: str, model: str, *arguments: str) -> A:
        """Ask the agent something about a model."""
        return self._call(kind, verb, self.model_dir(model), *arguments)

    def send_run_file(self, model: str, path: Path) -> int:
        """Bring a file to the folder `run` of a model; return the bytes that took, if any."""
        return self._session.put(path, posixpath.join(self.endpoint.path, model, "run", path.name))

    def has_run_file(self, model: str, name: str) -> bool:
        """Tell whether the folder `run` of a model has a file."""
        path = posixpath.join(self.model_dir(model), "run", name)
        return self._session.run(["test", "-e", path], QUICK_S).exit_code == 0

    def _unit(self) -> list[str]:
        return ["--unit", json.dumps(dict(self.endpoint.unit))] if self.endpoint.unit else []

    def _about(self) -> list[str]:
        """Return what the runner is told of the device."""
        return [*self._unit(), *(["--emulated"] if self.endpoint.emulated else [])]

    def fetch(self, remote: str, local: Path, max_bytes: int) -> None:
        """Copy a file from the device; `remote` is absolute or relative to the account's home."""
        self._session.get(remote, local, max_bytes)

    def _lacks(self, answer: Missing) -> DeployError | MissingToolError:
        python, name = self._agent.python, self.endpoint.name
        if answer.hardware:
            return DeployError(
                f"device {name} lacks what the model runs on: {answer.missing}",
                hint="attach it, or install its driver there and let the account use it; or give "
                f"{name} a target that fits its hardware; look at it: "
                f"{self.endpoint.shell_command()}",
            )
        return MissingToolError(
            f"{python} on device {name} lacks what the model needs: {answer.missing}",
            hint=f"install it there: edgeflow device provision {name}; or set `python` of the "
            "device to an interpreter that has it",
        )

    def _call(self, kind: type[A], verb: str, *arguments: str, timeout_s: float | None = None) -> A:
        """Run a verb; wait while another deployment is at work on the device."""
        limit_s = timeout_s or self.endpoint.run_timeout_s
        deadline, waiting = time.monotonic() + limit_s, False
        while True:
            try:
                return self._agent.call(kind, verb, *arguments, timeout_s=limit_s)
            except Refusal as refusal:
                if refusal.kind != "locked" or time.monotonic() >= deadline:
                    raise
                if not waiting:
                    say(f"{refusal.message}; waiting")
            waiting = True
            time.sleep(min(1.0, limit_s))

    def _expect(self, verb: str, found: str, wanted: str) -> None:
        """Refuse an answer about something else than was asked."""
        if found != wanted:
            reason = f"`{verb}` is about {excerpt(found)} instead of {wanted}"
            raise malformed(self.endpoint.title, "the agent", reason)

    def _of_release(
        self, kind: type[A], verb: str, model: str, sha: str, *more: str, **how: float
    ) -> A:
        try:
            return self._call(kind, verb, self.model_dir(model), sha, *more, **how)
        except Refusal as refusal:
            if refusal.kind != "corrupt":
                raise
            raise Refusal(
                refusal.message,
                kind=refusal.kind,
                hint=f"deploy it again: delete deploy.json of {self.endpoint.name}/{model}, "
                "then run `edgeflow run`",
            ) from refusal

    def _require_room(self, path: Path, have: Room, need_bytes: int, need_inodes: int) -> None:
        short = [
            f"need {need} {what}, have {there}"
            for what, need, there in (
                ("bytes", need_bytes, have.free_bytes),
                ("inodes", need_inodes, have.free_inodes),
            )
            if there is not None and there < need
        ]
        if short:
            look = self.endpoint.shell_command("df -h" if have.free_bytes < need_bytes else "df -i")
            raise DeployError(
                f"no space on device {self.endpoint.name} for {path.name}: {'; '.join(short)}",
                hint=f"make room: {look}",
            )


@contextmanager
def connect(where: Endpoint) -> Iterator[OpenDevice]:
    """Open a session to an endpoint."""
    with Session(where) as session:
        yield OpenDevice(session)


@contextmanager
def open_device(slice_: Mapping[str, Any]) -> Iterator[OpenDevice]:
    """Open the device of a deploy step's slice; one session of this project at a time.

    Args:
        slice_: `name` and `device`, as in `Plan.deploy(device).slice`.

    Raises:
        DeployError: the device refuses the login, or is in use for too long.
        UnreachableError: it does not answer.
        MissingToolError: it has no usable Python.
    """
    device = parse_device(slice_["device"])
    name = slice_["name"]
    with held(name, device.run_timeout_s), connect(endpoint(name, device)) as opened:
        yield opened


@contextmanager
def held(name: str, timeout_s: float) -> Iterator[None]:
    """Hold a device of this project; one process or thread at a time has it.

    Raises:
        DeployError: it is in use for longer than `timeout_s`.
    """
    from filelock import FileLock, Timeout

    LOCKS.mkdir(parents=True, exist_ok=True)
    lock = FileLock(LOCKS / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"device {name} is in use by another process; waiting")
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise DeployError(
                f"device {name} has been in use by another process for {timeout_s:g} s",
                hint=f"find it: fuser {LOCKS / f'{name}.lock'}",
            ) from error
    try:
        yield
    finally:
        # While it is held: who opened the file before looks again, and takes a new one. A fleet
        # of ten thousand leaves no ten thousand files.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
