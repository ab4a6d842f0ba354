"""Faults of connection and transfer; docs/deployment.md has a table of them by number."""

import fcntl
import io
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.signer import signer
from edgeflow.bundle.signing import allowed_signer
from edgeflow.config.publickey import public_half
from edgeflow.deploy.agent_answer import Confirmed, Status
from edgeflow.deploy.deploy import bring, deploy
from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError, EdgeflowError
from edgeflow.remote.session import Session
from edgeflow.remote.virtual import start
from edgeflow.testing.fault_proxy import End, Fault, FaultProxy, Link
from tests.unit.deploy.unharmed import Before, assert_unharmed, model_folder, runner_of

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
PAYLOAD = random.Random(7).randbytes(1_000_000)
BEFORE_BYTES = 7_000
"""What a login and the questions before an upload send, at most."""
UNREACHABLE, REFUSED = 4, 5


class Bench:
    """A device that serves a model, and another bundle on its way there."""

    def __init__(self, lab: "Lab", make_bundle: MakeBundle, folder: Path) -> None:
        self.lab, self.pi, self._out = lab, lab.device(), folder / "deploy.json"
        old = b"old weights"
        lab.serve(self.pi, make_bundle(old, runner=runner_of(old)))
        self.new = make_bundle(PAYLOAD, runner=runner_of(PAYLOAD))
        self.before = Before.of(lab, self.pi)

    def deploy(self, **changes: Any) -> dict[str, Any]:
        """Deploy the other bundle, over a connection with other settings."""
        return deploy(self.new, self.lab.slice(self.pi, **changes), "code", self._out)

    def fails(self, **changes: Any) -> EdgeflowError:
        """Deploy it, and return what that fails with."""
        with pytest.raises(EdgeflowError) as caught:
            self.deploy(**changes)
        assert not self._out.exists()
        return caught.value

    def unharmed(
        self,
        error: EdgeflowError,
        says: str,
        exit_code: int = UNREACHABLE,
        audited: int = 0,
        *,
        staged: bool = False,
    ) -> dict[str, Any]:
        """Assert that all is as it was, and that the next try succeeds."""
        return assert_unharmed(
            self.lab, self.pi, self.before, error,
            says=says, exit_code=exit_code, audited=audited, staged=staged, retry=self.deploy,
        )  # fmt: skip

    def activates(self, sha: str, confirm_at: int | None = None, **changes: Any) -> EdgeflowError:
        """Put the other release on trial, and return what that fails with.

        Args:
            confirm_at: port that is asked to confirm it, in the place of the device's.
        """
        with connect(self.lab.endpoint(self.pi, **changes)) as device:
            if confirm_at is not None:
                device.endpoint = replace(device.endpoint, port=confirm_at)
            with pytest.raises(EdgeflowError) as caught:
                device.activate("net", sha)
        return caught.value

    def status(self) -> Status:
        """Ask the device what it has."""
        with connect(self.lab.endpoint(self.pi)) as device:
            return device.status("net")

    def uploaded(self) -> int:
        """Return how many bytes of a cut upload are there."""
        return sum(path.stat().st_size for path in self._incoming().iterdir())

    def audited(self) -> int:
        """Return how many lines the device's audit log has more than before."""
        log = model_folder(self.lab, self.pi) / "audit.log"
        return len(log.read_text().splitlines()) - self.before.audited

    def _incoming(self) -> Path:
        return model_folder(self.lab, self.pi) / "incoming"


@pytest.fixture
def bench(lab: "Lab", make_bundle: MakeBundle, tmp_path: Path) -> Bench:
    return Bench(lab, make_bundle, tmp_path)


@pytest.fixture
def own_bench(own_lab: "Lab", make_bundle: MakeBundle, tmp_path: Path) -> Bench:
    """The same, with a server that the test may stop."""
    return Bench(own_lab, make_bundle, tmp_path)


@contextmanager
def full_backlog() -> Iterator[int]:
    """Give a port whose queue is full: the kernel drops what asks for a connection."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["closed", "drops"])
def test_row_1_a_host_that_is_down(bench: Bench, kind: str) -> None:
    if kind == "drops":
        with full_backlog() as port:
            error = bench.fails(port=port, timeout_s=1)
        bench.unharmed(error, "does not answer: no connection within 1 s")
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    bench.unharmed(bench.fails(port=port), "does not answer: .*refused")


SILENT: dict[str, tuple[Fault, int, End, str]] = {
    "row 2: accepts, never answers": ("silent", 0, "device", "no SSH server speaks within 1 s"),
    "row 3: stops after its banner": ("hang", 1, "client", "does not answer"),
    "row 3: stops in the login": ("hang", 3_200, "client", "does not answer"),
    "row 8: a black hole in the upload": (
        "hang", 500_000, "device", r"sending \w+\.\w+, \d+ of \d+ bytes: it stood still for 1 s",
    ),
    "row 8: a black hole on the way back": ("hang", 5_000, "client", "lost the connection to"),
}  # fmt: skip


@pytest.mark.parametrize(("fault", "after_bytes", "towards", "says"), SILENT.values(), ids=SILENT)
def test_rows_2_3_8_silence(
    bench: Bench, fault: Fault, after_bytes: int, towards: End, says: str
) -> None:
    with FaultProxy(bench.pi.port, fault, after_bytes, towards) as proxy:
        error = bench.fails(port=proxy.port, timeout_s=1)
    bench.unharmed(error, says)


def test_row_4_another_host_key(bench: Bench) -> None:
    import asyncssh

    public = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    logins = bench.lab.logins()
    error = bench.fails(host_key=" ".join(public.split()[:2]))
    assert bench.lab.logins() == logins
    assert error.message.count("SHA256:") == 2
    bench.unharmed(error, "another host key than the pinned one; nothing was sent", REFUSED)


@pytest.mark.parametrize("key", ["another", "none", "open to others"])
def test_row_5_another_login_key(bench: Bench, tmp_path: Path, key: str) -> None:
    import asyncssh

    if key != "none":
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(tmp_path / "key")
        (tmp_path / "key").chmod(0o600 if key == "another" else 0o644)
    error = bench.fails(identity=str(tmp_path / "key"))
    says = {
        "another": "refuses to log in",
        "none": "no private key",
        "open to others": r"is open to other accounts of this machine \(mode 0644\)",
    }[key]
    bench.unharmed(error, says, REFUSED)


@pytest.mark.parametrize("fault", ["reset", "close"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99, 1.0])
def test_rows_6_7_a_cut_anywhere_in_an_upload(bench: Bench, fault: Fault, share: float) -> None:
    after = BEFORE_BYTES + int(share * (len(PAYLOAD) - 2 * BEFORE_BYTES))
    # Not so fast that most of it is still on its way through the server when that is cut.
    with FaultProxy(bench.pi.port, fault, after, link=Link(rate=2_000_000)) as proxy:
        error = bench.fails(port=proxy.port, timeout_s=5)
    there = bench.uploaded()
    record = bench.unharmed(error, r"lost the connection to .* while (sending|running)")
    assert record["sent_bytes"] < len(PAYLOAD) + 10_000 - there
    if share >= 0.5:
        assert there > 0


def test_rows_8_11_24_a_host_that_is_lost_before_the_confirmation(bench: Bench) -> None:
    """For the device a black hole and a killed host are the same."""
    sha = bench.deploy()["bundle_sha256"]
    with full_backlog() as hole:
        error = bench.activates(sha, confirm_at=hole, confirm_s=1.0, timeout_s=1)
    bench.lab.wait_until(lambda: bench.status().pending is None)
    says = "no connection within 1 s.*goes back to the release before by itself"
    bench.unharmed(error, says, audited=3, staged=True)
    with connect(bench.lab.endpoint(bench.pi)) as device, pytest.raises(DeployError) as late:
        device.ask(Confirmed, "confirm", "net", sha, "0" * 32)
    assert "refused" in late.value.message
    with connect(bench.lab.endpoint(bench.pi)) as device:
        assert device.activate("net", sha)


def test_row_9_a_device_that_is_frozen(own_bench: Bench) -> None:
    with FaultProxy(own_bench.pi.port, "none") as proxy:

        def freeze() -> None:
            own_bench.lab.wait_until(lambda: proxy.passed_bytes >= len(PAYLOAD) // 10)
            os.kill(own_bench.pi.pid, signal.SIGSTOP)

        freezer = threading.Thread(target=freeze)
        freezer.start()
        try:
            # So slow that it is frozen in the middle.
            proxy.limit(500_000)
            error = own_bench.fails(port=proxy.port, timeout_s=1)
        finally:
            freezer.join()
            os.kill(own_bench.pi.pid, signal.SIGCONT)
    own_bench.unharmed(error, "while sending .*: it stood still for 1 s")


def test_row_10_a_link_that_is_down_for_a_while(bench: Bench) -> None:
    with FaultProxy(bench.pi.port, "none") as proxy:

        def flap() -> None:
            bench.lab.wait_until(lambda: proxy.passed_bytes >= len(PAYLOAD) // 10)
            proxy.hold(1)

        flapper = threading.Thread(target=flap)
        flapper.start()
        record = bench.deploy(port=proxy.port, timeout_s=10)
        flapper.join()
    assert record["bundle_sha256"] == sha256_file(bench.new)


def test_row_10_a_server_that_is_killed_in_the_upload(own_bench: Bench) -> None:
    lab, old = own_bench.lab, own_bench.pi
    with FaultProxy(old.port, "hang", len(PAYLOAD) // 2) as proxy:

        def kill() -> None:
            lab.wait_until(lambda: proxy.passed_bytes >= len(PAYLOAD) // 2)
            os.kill(old.pid, signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        error = own_bench.fails(port=proxy.port)
        killer.join()
    own_bench.pi = start.ensure(old.identity.parent.name, Path(sys.executable), lab.state)
    assert own_bench.pi.pid != old.pid
    own_bench.unharmed(error, "lost the connection to .* while sending")


@pytest.mark.parametrize("what", ["upload", "file", "manifest"])
def test_row_15_a_bit_that_flips_on_the_device(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    put = Session.put

    def flip(session: Session, local: Path, remote: str, part: str | None = None) -> int:
        sent = put(session, local, remote, part)
        if remote.endswith(".part"):
            path = bench.lab.root(bench.pi) / remote
            at = {"upload": 512 * 3, "file": len(PAYLOAD) // 2, "manifest": 700}[what]
            with path.open("r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 1]))
        return sent

    with monkeypatch.context() as patch:
        patch.setattr(Session, "put", flip)
        error = bench.fails()
    bench.unharmed(error, "refuses to install: corrupt", REFUSED, audited=1)


def test_row_16_who_signed_a_bundle(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device refuses what its host, to which all is one, has sent."""
    ours, theirs = (signing_key(tmp_path / name) for name in ("ours", "theirs"))
    bench = Bench(lab, partial(make_bundle, sign=ours), tmp_path)
    trust = lab.root(bench.pi) / "edgeflow" / "trust"
    trust.mkdir()
    public = (tmp_path / "ours.pub").read_text()
    (trust / "allowed_signers").write_text(allowed_signer("release@lab", public))
    signed, payload, errors = bench.new, PAYLOAD[:1000], list[EdgeflowError]()
    other = make_bundle(payload, runner=runner_of(payload), sign=theirs)
    cases = {
        "it is not signed": make_bundle(payload, runner=runner_of(payload) + b"#"),
        "its key is none of the allowed signers": other,
        "its key is revoked": signed,
    }
    with monkeypatch.context() as patch:
        patch.setattr("edgeflow.deploy.device.bundles.require_fit", lambda *_: None)
        for why, bench.new in cases.items():
            if bench.new == signed:
                (trust / "revoked_keys").write_text(public)
            errors.append(bench.fails())
            assert f"refuses to install: rejected: {why}" in errors[-1].message
    (trust / "revoked_keys").unlink()
    record = bench.unharmed(errors[-1], "its key is revoked", REFUSED, audited=3)
    assert record["signed_by"] == "release@lab"


def signing_key(path: Path) -> Callable[[bytes], bytes]:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return signer(public_half(path), path, None)


def test_row_17_an_older_bundle_again(bench: Bench, make_bundle: MakeBundle) -> None:
    bench.new = make_bundle(PAYLOAD, runner=runner_of(PAYLOAD), counter=2)
    newer = bench.deploy()["bundle_sha256"]
    with connect(bench.lab.endpoint(bench.pi)) as device:
        device.activate("net", newer)
    bench.before = Before.of(bench.lab, bench.pi)
    bench.new = make_bundle(PAYLOAD, runner=runner_of(PAYLOAD) + b"# older", counter=1)
    sha = bench.deploy()["bundle_sha256"]
    error = bench.activates(sha)
    bench.unharmed(error, "refuses to switch: rejected: .*counter 1 is lower than 2", REFUSED,
                   audited=2, staged=True)  # fmt: skip
    with connect(bench.lab.endpoint(bench.pi)) as device:
        assert device.activate("net", sha, allow_downgrade=True)
    assert bench.status().current == sha


def test_row_18_a_bundle_for_another_machine(
    bench: Bench, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = bench.new
    bench.new = make_bundle(PAYLOAD[:1000], device_class={"machines": ["riscv64"]})
    error = bench.fails()
    assert re.search(r"is for riscv64, and device pi\d+ is ", error.message)
    assert not list(model_folder(bench.lab, bench.pi).glob("incoming/*")), "nothing was sent"
    assert (error.exit_code, bench.audited()) == (REFUSED, 0)
    with monkeypatch.context() as patch:
        patch.setattr("edgeflow.deploy.device.bundles.require_fit", lambda *_: None)
        error = bench.fails()
    bench.new = good
    bench.unharmed(error, r"refuses to install: rejected: it is for \['riscv64'\]", REFUSED,
                   audited=1)  # fmt: skip


def evil(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


EVIL = {
    "dots": evil("../../../evil"),
    "absolute": evil("/tmp/edgeflow-evil"),
    "symbolic link": evil("evil", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": evil("evil", tarfile.LNKTYPE, "runner.py"),
    "device": evil("evil", tarfile.CHRTYPE),
    "sparse": evil("evil", tarfile.GNUTYPE_SPARSE),
}


@pytest.mark.parametrize("member", EVIL.values(), ids=EVIL)
def test_row_19_a_tar_with_more_than_its_manifest(bench: Bench, member: tarfile.TarInfo) -> None:
    good = bench.new.read_bytes()
    with tarfile.open(bench.new, "a") as archive:
        archive.addfile(member, io.BytesIO())
    error = bench.fails()
    bench.new.write_bytes(good)
    bench.unharmed(error, "refuses to install: corrupt: unexpected member", REFUSED, audited=1)
    assert not list(bench.lab.root(bench.pi).parent.rglob("*evil*"))


SICK = {
    "row 20: it crashes": ("deploy", "os.abort()", "killed by signal 6"),
    "row 21: it hangs": (
        "switch", "signal.signal(15, signal.SIG_IGN), time.sleep(99)", "more than 2 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("moment", "does", "says"), SICK.values(), ids=SICK)
def test_rows_20_21_a_model_that_fails_on_the_device(
    bench: Bench, make_bundle: MakeBundle, moment: str, does: str, says: str
) -> None:
    """It does so while a file is there, from the first try on or once it is on trial."""
    ill = bench.lab.root(bench.pi) / "ill"
    fails = f"import os, signal, time\nif os.path.exists({str(ill)!r}): {does}\n"
    bench.new = make_bundle(PAYLOAD, runner=fails.encode() + runner_of(PAYLOAD))
    if moment == "deploy":
        ill.touch()
        error = bench.fails()
    else:
        sha = bench.deploy()["bundle_sha256"]
        ill.touch()
        error = bench.activates(sha, run_timeout_s=2.0)
    ill.unlink()
    audited = {"deploy": 2, "switch": 3}[moment]
    bench.unharmed(error, says, REFUSED, audited=audited, staged=True)


def test_row_23_another_host_is_at_work(bench: Bench) -> None:
    with (model_folder(bench.lab, bench.pi) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        error = bench.fails(run_timeout_s=10.0)
    bench.unharmed(error, "refuses to prepare: locked: held by", REFUSED)


def test_row_26_only_the_rest_is_sent_and_then_nothing(bench: Bench) -> None:
    with FaultProxy(bench.pi.port, "reset", len(PAYLOAD) // 2) as proxy:
        error = bench.fails(port=proxy.port, timeout_s=5)
    there = bench.uploaded()
    assert bench.unharmed(error, "lost the connection")["sent_bytes"] + there < 1_010_000
    assert bench.deploy()["sent_bytes"] == 0


def test_row_29_a_slow_link_that_loses_blocks(bench: Bench, make_bundle: MakeBundle) -> None:
    bench.new = make_bundle(PAYLOAD[:256_000], runner=runner_of(PAYLOAD[:256_000]))
    slow = Link(round_trip_s=0.6, rate=64_000, stall_s=0.2)
    with FaultProxy(bench.pi.port, "none", link=slow) as proxy:
        # The upload alone takes longer than the time without progress that is an error.
        record = bench.deploy(port=proxy.port, timeout_s=3)
    assert record["sent_bytes"] > 256_000


def test_row_30_nothing_is_executed_of_a_name(bench: Bench) -> None:
    path = "a b;touch evil; $(touch evil) `touch evil` '\" *"
    with pytest.raises(ValidationError, match="path"):
        bench.deploy(path=path)
    # And if one came through all the same:
    with connect(replace(bench.lab.endpoint(bench.pi), path=path)) as device:
        record = bring(device, "net", bench.new)
    root = bench.lab.root(bench.pi)
    assert not list(root.rglob("evil"))
    assert (root / path / "net" / "releases" / record["bundle_sha256"]).is_dir()


NOISY = {
    "prints": "echo Welcome; echo hint >&2",
    "another language": "export LANG=C LC_ALL=C; unset HOME",
    "prints escapes": "printf '\\033[2J\\033]0;title\\007'",
}


@pytest.mark.parametrize("login", NOISY.values(), ids=NOISY)
def test_row_31_login_scripts_that_talk(bench: Bench, login: str) -> None:
    bench.lab.behave(bench.pi, login=login)
    record = bench.deploy()
    assert record["current_sha256"] == bench.before.current
    assert json.loads(json.dumps(record)) == record
    assert bench.deploy()["sent_bytes"] == 0


def test_row_31_a_login_script_that_exits(bench: Bench) -> None:
    bench.lab.behave(bench.pi, login="echo 'This account is not available.'; exit 1")
    error = bench.fails()
    bench.lab.behave(bench.pi, login="")
    bench.unharmed(error, "not available", REFUSED)
