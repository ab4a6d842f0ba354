"""Faults of a device's disk, processes, shell, clock and power, which need root to bring about.

Whatever fails: the release in use stays in use and computes its golden vectors, nothing of it has
changed, the error names the device, what was going on and why, and the next deployment succeeds.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import OpenDevice, connect
from edgeflow.errors import DeployError, EdgeflowError, UnreachableError
from edgeflow.remote.channel import Program
from edgeflow.remote.inventory import Endpoint, endpoint, parse_device
from edgeflow.remote.session import Session
from edgeflow.testing import board, openssh
from edgeflow.testing.board import Board
from tests.system.conftest import ENABLE
from tests.unit.deploy.conftest import make_bundle  # noqa: F401

MakeBundle = Callable[..., Path]
PAYLOAD_BYTES = 1_000_000
RUNNER = b"""
import hashlib, json, os, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "manifest.json")) as file:
    files = json.load(file)["files"]
with open(os.path.join(here, "data", "model.tflite"), "rb") as file:
    right = hashlib.sha256(file.read()).hexdigest() == files["data/model.tflite"]["sha256"]
print(json.dumps({"passed": right, "max_abs": {"output": 0.0 if right else 1.0}}))
sys.exit(not right)
"""
"""Passes its golden vectors if the model's file is whole."""

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not openssh.has_server() or not shutil.which("unshare"),
    reason=f"needs root, OpenSSH's server and util-linux; {ENABLE}",
)


@dataclass
class Bench:
    """A device that serves the old one of two bundles."""

    folder: Path
    old: Path
    new: Path
    make: Callable[[], Path]
    changes: dict[str, Any] = field(default_factory=dict)
    board: Board | None = None

    @property
    def model(self) -> Path:
        """The model's folder, as seen from here."""
        assert self.board is not None
        return self.board.home / "edgeflow/net"

    @property
    def root(self) -> Path:
        """The device's file system, as seen from here."""
        assert self.board is not None
        return self.board.root

    @contextmanager
    def boot(self, **options: Any) -> Iterator["Bench"]:
        """Boot the device, with the disk that it had."""
        with board.boot(self.folder, **options) as self.board:
            yield self

    @contextmanager
    def serving(self, **options: Any) -> Iterator["Bench"]:
        """Boot the device for the first time and let it serve the old bundle."""
        with self.boot(**options):
            self.deploy(self.old)
            yield self

    def endpoint(self) -> Endpoint:
        assert self.board is not None
        limits = {"timeout_s": 3.0, "run_timeout_s": 60.0, "confirm_s": 60.0}
        section = {"target": "pi", **self.board.section(), **limits, **self.changes}
        return endpoint("shed", parse_device(section))

    @contextmanager
    def open(self) -> Iterator[OpenDevice]:
        with connect(self.endpoint()) as device:
            yield device

    def deploy(self, bundle: Path) -> int:
        """Bring a bundle and make it current; return how many bytes were sent."""
        with self.open() as device:
            sent: int = bring(device, "net", bundle)["sent_bytes"]
            device.activate("net", sha256_file(bundle))
        return sent

    def fails(self, kind: type[EdgeflowError], *words: str) -> None:
        """Deploy the new bundle, which fails with the device's name and these words."""
        with pytest.raises(kind) as caught:
            self.deploy(self.new)
        for word in ("shed", *words):
            assert word in caught.value.message, caught.value.message
        assert caught.value.exit_code in (4, 5)
        assert caught.value.hint

    def serves(self, bundle: Path) -> None:
        """Assert that a bundle is in use, and passes its golden vectors by the link to it."""
        with self.open() as device:
            status = device.status("net")
            assert (status.current, status.fault) == (sha256_file(bundle), None)
            answer = json.loads(device.run_release("net", str(status.current), ["golden"], 60))
            assert answer["passed"]
        assert (self.model / "current").readlink().name == status.current
        assert (self.model / "current/manifest.json").is_file()

    def tree(self) -> dict[str, str]:
        """Return all that may not change: links, and the digests of files, by path."""
        found = {}
        for path in sorted(self.model.rglob("*")):
            name = str(path.relative_to(self.model))
            if name.startswith(("incoming", "audit.log", "lock", "supervisor.lock", "run")):
                continue
            if path.is_symlink():
                found[name] = str(path.readlink())
            elif path.is_file():
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return found

    def audited(self) -> list[dict[str, Any]]:
        """Return the entries of the audit log; of the last one a full disk may have taken half."""
        found = []
        for line in (self.model / "audit.log").read_text().splitlines():
            with suppress(json.JSONDecodeError):
                found.append(json.loads(line))
        return found

    def verbs(self, start: int) -> list[str]:
        """Return the verbs of the audit log's entries from one on."""
        found = [entry["verb"] for entry in self.audited()[start:]]
        return [verb for verb in found if verb != "prune"]  # it makes room for the next one

    @contextmanager
    def unharmed(self, *verbs: str, staged: bool = False, full: bool = False) -> Iterator[None]:
        """Assert that what happens within leaves the device as it was, but for audit entries.

        Args:
            verbs: of the entries that it adds to the audit log.
            staged: whether the new release may lie beside the old one after it.
            full: whether the disk may have no room for the last entry.
        """
        tree, audited = self.tree(), len(self.audited())
        yield
        self.serves(self.old)
        left = self.tree()
        if staged:
            # To make room for it an older one may have gone, but not the one in use.
            tree, left = self.in_use(tree), self.in_use(left)
        assert left == tree
        logged = [list(verbs), list(verbs[:-1])] if full else [list(verbs)]
        assert self.verbs(audited) in logged, self.audited()[audited:]

    def in_use(self, tree: dict[str, str]) -> dict[str, str]:
        """Return what of a tree belongs to the old release."""
        old = f"releases/{sha256_file(self.old)}/"
        return {name: what for name, what in tree.items() if name.startswith((old, "current"))}

    def retry(self) -> None:
        """Deploy the new bundle, which works now; then the other one counts as new."""
        self.deploy(self.new)
        self.serves(self.new)
        self.old, self.new = self.new, self.old

    def agent(self, verb: str, *arguments: str) -> Any:
        """Run a verb of the agent on the device, as its boot does; return the answer."""
        assert self.board is not None
        (program,) = (self.board.home / "edgeflow/bin").glob("agent-*.pyz")
        path = f"/mnt/{program.relative_to(self.board.home)}"
        command = [self.board.python, "-I", path, verb, *arguments]
        with Session(self.endpoint()) as session:
            return json.loads(session.run(command, 60).stdout)

    def processes(self) -> list[int]:
        """Return the device's processes but the first, which is its SSH server."""
        assert self.board is not None
        found: list[int] = []
        left = [self.board.init]
        while left:
            pid = left.pop()
            with suppress(OSError):
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                left += map(int, children)
                found += map(int, children)
        return found

    def signal(self, number: signal.Signals) -> None:
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@pytest.fixture
def bench(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_bundle: MakeBundle,  # noqa: F811
) -> Bench:
    monkeypatch.chdir(tmp_path)

    def make() -> Path:
        return make_bundle(os.urandom(PAYLOAD_BYTES), runner=RUNNER)

    return Bench(tmp_path / "device", make(), make(), make)


def during(monkeypatch: pytest.MonkeyPatch, share: float, fault: Callable[[], None]) -> None:
    """Let a fault strike once, when that share of an upload went out."""
    send, state = Program.send_some, {"left": int(share * PAYLOAD_BYTES)}

    def counted(self: Program, data: bytes) -> int:
        if state["left"] is not None and len(data) > 1000:
            sent = send(self, data[: min(len(data), 64 << 10)])
            state["left"] -= sent
            if state["left"] <= 0:
                state["left"] = 1 << 60
                fault()
            return sent
        return send(self, data)

    monkeypatch.setattr(Program, "send_some", counted)


def before_verb(monkeypatch: pytest.MonkeyPatch, verb: str, fault: Callable[[], None]) -> None:
    """Let a fault strike once, before a verb of the agent."""
    run = Session.run
    struck: list[str] = []

    def faulted(self: Session, argv: Any, *rest: Any, **named: Any) -> Any:
        if verb in argv and not struck:
            struck.append(verb)
            fault()
        return run(self, argv, *rest, **named)

    monkeypatch.setattr(Session, "run", faulted)


SMALL = 'mount -t tmpfs -o size=24m,nr_inodes={inodes} board "$at$BOARD_HOME"'


def fill(bench: Bench) -> None:
    """Take the rest of the disk."""
    assert bench.board is not None
    with suppress(OSError), (bench.board.home / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def strike(patch: pytest.MonkeyPatch, moment: str, fault: Callable[[], None]) -> None:
    """Let a fault strike at a moment of the next deployment: in the upload, or before a verb."""
    if moment == "upload":
        during(patch, 0.5, fault)
    else:
        before_verb(patch, moment, fault)


def test_a_full_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the agent refuses is in its log, if that has room; its chain stays whole anyway."""
    entries = {"status": (), "upload": (), "install": ("install",), "switch": ("install", "switch")}
    with bench.serving(storage=SMALL.format(inodes=0)):
        assert bench.board is not None
        for moment, verbs in entries.items():
            bench.new = bench.make()
            with (
                monkeypatch.context() as patch,
                bench.unharmed(*verbs, staged=moment == "switch", full=True),
            ):
                strike(patch, moment, lambda: fill(bench))
                bench.fails(DeployError, "space")
                (bench.board.home / "filler").unlink()
            bench.retry()
        assert bench.agent("history", "/mnt/edgeflow/net", "--last", "1")["chain"] == "whole"


def test_a_disk_without_inodes(bench: Bench) -> None:
    with bench.serving(storage=SMALL.format(inodes=60)):
        assert bench.board is not None
        with bench.unharmed():
            with suppress(OSError):
                for number in range(60):
                    (bench.board.home / f"filler{number}").touch()
            bench.fails(DeployError, "inodes")
        for path in bench.board.home.glob("filler*"):
            path.unlink()
        bench.retry()


def test_a_disk_that_turns_read_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be logged then, but that the release was installed before."""
    entries = {"prepare": (), "receive": (), "install": (), "switch": ("install",)}
    with bench.serving(storage=SMALL.format(inodes=0)):
        assert bench.board is not None
        run = bench.board.run

        def remount(mode: str) -> None:
            run("mount", "--options", f"remount,{mode}", "/mnt")

        for moment, verbs in entries.items():
            bench.new = bench.make()
            with (
                monkeypatch.context() as patch,
                bench.unharmed(*verbs, staged=moment == "switch"),
            ):
                if moment == "receive":  # a file that is open for writing would forbid it
                    patch.setattr(Session, "put", _after(lambda: remount("ro"), Session.put))
                else:
                    strike(patch, moment, lambda: remount("ro"))
                bench.fails(DeployError, "ead-only")
            remount("rw")
            bench.retry()


def _after(fault: Callable[[], None], call: Callable[..., Any]) -> Callable[..., Any]:
    def faulted(*arguments: Any) -> Any:
        fault()
        return call(*arguments)

    return faulted


def test_a_device_that_freezes_or_loses_its_sessions_while_it_receives(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench.serving():
        for number in (signal.SIGSTOP, signal.SIGKILL):
            bench.new = bench.make()
            with monkeypatch.context() as patch, bench.unharmed():
                strike(patch, "upload", partial(bench.signal, number))
                bench.fails(UnreachableError, "sending")
                bench.signal(signal.SIGKILL)
            whole = bench.new.stat().st_size
            assert bench.deploy(bench.new) < whole, "it goes on where it was cut"
            bench.serves(bench.new)
            bench.old = bench.new


def test_power_that_fails_before_the_confirmation(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the boot the release on trial is taken back, before anything asks for it."""
    with bench.serving(), monkeypatch.context() as patch:
        assert bench.board is not None
        tree, audited = bench.tree(), len(bench.audited())
        cut = _after(bench.board.cut_power, OpenDevice._confirm)
        patch.setattr(OpenDevice, "_confirm", lambda self, *given: cut(self, *given))
        bench.changes["confirm_s"] = 3.0
        bench.fails(UnreachableError, "goes back")
    with bench.boot():
        new = sha256_file(bench.new)
        assert (bench.model / "current").readlink().name == new, "nobody took it back yet"
        assert bench.agent("recover", "/mnt/edgeflow") == {
            "recovered": [{"model": "net", "sha": new, "state": "rolled_back"}]
        }
        bench.serves(bench.old)
        assert bench.in_use(bench.tree()) == bench.in_use(tree)
        assert bench.verbs(audited) == ["install", "switch", "rollback"]
        bench.retry()


SHELLS = {
    "busybox": ("mount --bind /bin/busybox /bin/sh; mount --bind /dev/null /bin/bash", "/bin/sh"),
    "dash": ("mount --bind /bin/dash /bin/sh; mount --bind /dev/null /bin/bash", "/bin/sh"),
    "printing": ("echo 'echo Welcome; echo beware >&2' > /run/root/.bashrc", "/bin/bash"),
    "exiting": ("echo 'exit 0' > /run/root/.bashrc", "/bin/bash"),
}
LOGIN = """
sed "s#^root:.*#root:x:0:0::/run/root:{shell}#" /etc/passwd > /run/passwd
mount --bind /run/passwd /etc/passwd
mkdir /run/root
{commands}
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_login_shell_is_and_prints(bench: Bench, shell: str) -> None:
    if shell == "busybox" and not Path("/bin/busybox").exists():
        pytest.skip(f"needs busybox; {ENABLE}")
    commands, program = SHELLS[shell]
    with bench.boot(prepare=LOGIN.format(commands=commands, shell=program)):
        if shell == "exiting":
            bench.fails(DeployError, "ends before any program starts")
            (bench.root / "run/root/.bashrc").unlink()
        bench.retry()


FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


def test_a_clock_that_never_was_set_and_jumps_while_a_release_is_on_trial(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not FAKETIME.exists():
        pytest.skip(f"needs libfaketime; {ENABLE}")
    clock = bench.folder / "disk/clock"
    with bench.boot():
        assert bench.board is not None
        python = bench.folder / "disk/python"
        python.write_text(
            f"#!/bin/sh\nexport LD_PRELOAD={FAKETIME} FAKETIME_TIMESTAMP_FILE=/mnt/clock "
            f'FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1\nexec {bench.board.python} "$@"\n'
        )
        python.chmod(0o755)
        bench.changes["python"] = "/mnt/python"
        # libfaketime takes this off the monotonic time until which Python sleeps, and adds that of
        # its start: sleeps last hours with less than the uptime, and fail with more than twice it.
        never_set = time.gmtime(1.5 * time.monotonic())
        clock.write_text(time.strftime("%Y-%m-%d %H:%M:%S\n", never_set))
        bench.retry()

        def jump() -> None:
            clock.write_text("2036-01-02 00:00:00\n")

        before_verb(monkeypatch, "confirm", jump)
        bench.retry()
        years = [entry["time"][:4] for entry in bench.audited()]
        assert (years[0], years[-1]) == ("1970", "2036"), years


LOOP = 'mount -o loop "{image}" "$at$BOARD_HOME"'


def test_power_that_fails_at_any_moment_of_a_deployment(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk of each moment boots into exactly the old release or exactly the new one."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(24 << 20)
    subprocess.run(["/usr/sbin/mkfs.ext4", "-q", "-F", image], check=True)
    copies: dict[str, Path] = {}

    def copy(moment: str) -> None:
        copies[moment] = tmp_path / f"{len(copies)}.image"
        shutil.copy(image, copies[moment])

    run = Session.run

    def copied(self: Session, argv: Any, *rest: Any, **named: Any) -> Any:
        done = run(self, argv, *rest, **named)
        verb = next(
            (verb for verb in ("prepare", "install", "switch", "confirm") if verb in argv), None
        )
        if verb:
            copy(verb)
        return done

    with bench.serving(storage=LOOP.format(image=image)), monkeypatch.context() as patch:
        patch.setattr(Session, "run", copied)
        during(patch, 0.5, lambda: copy("upload"))
        bench.deploy(bench.new)
    assert list(copies) == ["prepare", "upload", "install", "switch", "confirm"]
    for moment, path in copies.items():
        with bench.boot(storage=LOOP.format(image=path)):
            bench.agent("recover", "/mnt/edgeflow")
            bench.serves(bench.new if moment == "confirm" else bench.old)
            if moment != "confirm":
                bench.retry()
                bench.old, bench.new = bench.new, bench.old
