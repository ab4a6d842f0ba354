"""A key that may deploy, and nothing else."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.facts import of_device
from edgeflow.deploy.provision import keys
from edgeflow.deploy.provision.steps import Wanted, provision
from edgeflow.deploy.release import connect
from edgeflow.errors import DeployError
from edgeflow.ondevice.guard import Guard, Refused
from edgeflow.remote.connect import open_connection
from edgeflow.remote.session import INTERPRETER, Session

if TYPE_CHECKING:
    from edgeflow.remote.inventory import Endpoint
    from edgeflow.remote.virtual.layout import Address
    from tests.unit.deploy.conftest import Lab

SHA, UP = "a" * 64, "b" * 16
OLD = "c" * 64
OURS, OTHERS = '{"serial": "1"}', '{"serial": "2"}'
COLLECTED = f"edgeflow/net/run/collected.{UP}"
UPLOAD = "edgeflow/bin/agent-{0}.pyz.{1}.part", "edgeflow/bin/agent-{0}.pyz"


def keygen(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture
def deployer(lab: "Lab", tmp_path: Path) -> "tuple[Address, Endpoint, Endpoint]":
    """A device, its login that may do anything, and one that may deploy."""
    address = lab.device()
    admin = lab.endpoint(address, python="python3")
    wanted = Wanted(lock=None, boot=False, deploys=keygen(tmp_path / "deploys"))
    assert {step.what: step.state for step in provision(admin, wanted, dry_run=False)} == {
        "agent": "changed", "environment": "not done", "key": "changed",
        "recover at boot": "not done",
    }  # fmt: skip
    assert "changed" not in {it.state for it in provision(admin, wanted, dry_run=False)}
    return address, admin, replace(admin, identity=tmp_path / "deploys")


def test_it_brings_a_release_all_the_way(
    lab: "Lab",
    deployer: "tuple[Address, Endpoint, Endpoint]",
    make_bundle: Callable[..., Path],
    tmp_path: Path,
) -> None:
    from edgeflow.deploy.deploy import bring

    address, _, where = deployer
    bundle = make_bundle()
    sha = sha256_file(bundle)
    with connect(where) as device:
        bring(device, "net", bundle)
        device.activate("net", sha)
        data = tmp_path / "test_x.npy"
        data.write_bytes(b"samples")
        there = device.send_data(data)
        sampled = device.send_samples("net", data)
        for verb, path in (("measure", there), ("predict", sampled)):
            arguments = [verb, "--data", path, "--out", f"outputs.{UP}"]
            assert device.run_release("net", sha, arguments, 60).split() == ["net", *arguments]
        device.fetch("edgeflow/net/journal.json", tmp_path / "journal.json", 1 << 20)
        assert device.status("net").current == sha
        assert [it.name for it in device.models()] == ["net"]
        device.forget("net")
    assert lab.current(address) is None
    for program in (lab.root(address) / "edgeflow/bin").iterdir():
        program.unlink()  # both that run there may be brought again
    with connect(where) as device:
        assert device.models() == ()
    assert of_device(where).python


def test_it_does_nothing_else(
    lab: "Lab", deployer: "tuple[Address, Endpoint, Endpoint]", tmp_path: Path
) -> None:
    address, _, where = deployer
    home = lab.root(address)
    before = sorted(home.rglob("*"))
    with Session(where) as session:
        for attempt in (
            lambda: session.run(["touch", "it"], 60),
            lambda: session.run([INTERPRETER, "-c", "open('it', 'w')"], 60),
            lambda: session.put(tmp_path / "deploys.pub", ".ssh/authorized_keys"),
            lambda: session.put(tmp_path / "deploys.pub", "edgeflow/trust/guard.json"),
            lambda: session.get(".ssh/authorized_keys", tmp_path / "got", 1 << 20),
        ):
            with pytest.raises(DeployError, match="lets this key run nothing but") as caught:
                attempt()
            assert "--admin-identity" in caught.value.hint
    with open_connection(where) as connection:
        for program in ("sh", "touch it", "scp -t it", "/usr/lib/openssh/sftp-server"):
            done = connection.run(program, hide=True, warn=True, in_stream=False)
            assert done.exited == 77
            assert "this key may not run" in done.stderr
        from paramiko import ChannelException

        with pytest.raises(ChannelException):
            connection.transport.open_channel(
                "direct-tcpip", ("127.0.0.1", where.port), ("127.0.0.1", 0)
            )
    assert sorted(home.rglob("*")) == before
    with pytest.raises(DeployError, match="lets this key run nothing but"):
        provision(where, Wanted(lock=None, boot=False), dry_run=True)


def test_a_key_deploys_to_one_folder(
    deployer: "tuple[Address, Endpoint, Endpoint]", tmp_path: Path
) -> None:
    _, admin, where = deployer
    wanted = Wanted(lock=None, boot=False, deploys=keys.public_of(where))
    with pytest.raises(DeployError, match="deploys to another folder of that account"):
        provision(replace(admin, path="second"), wanted, dry_run=False)


@pytest.fixture
def guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guard:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "edgeflow/net/incoming").mkdir(parents=True)
    (tmp_path / "edgeflow/net/away").symlink_to("/tmp")
    return Guard("edgeflow", {"programs": [SHA], "unit": {"serial": "1"}})


def receive(part: str, path: str, sha: str) -> list[str]:
    return ["receive", part, path, "9", sha, "20"]


def agent_upload(sha: str) -> tuple[str, str, str]:
    part, path = (name.format(sha, UP) for name in UPLOAD)
    return part, path, sha


def agent(root: str, *arguments: str, sha: str = SHA) -> list[str]:
    return ["run", "60", "", "-", "-I", f"{root}/bin/agent-{sha}.pyz", *arguments]


def runner(root: str, *arguments: str) -> list[str]:
    path = f"{root}/net/releases/{OLD}/runner.py"
    return ["run", "60", f"{root}/net", "-", "-B", path, *arguments]


def test_what_edgeflow_asks_for_is_allowed(guard: Guard) -> None:
    root = guard.root
    part = f"edgeflow/net/incoming/{SHA}.{UP}.zst.part"
    for request in (
        ["run", "60", "", "true"],
        receive(part, part, OLD),
        receive(*agent_upload(SHA)),
        ["send", "edgeflow/net/journal.json", "9"],
        agent(root, "rollback", f"{root}/net", SHA, "--reason", "--too warm / ../.."),
        agent(root, "switch", f"{root}/net", SHA, "--python", sys.executable, "--unit", OURS),
        agent(root, "recover", root),
        agent(root, "find-data", f"{root}/data", SHA, "x.npy"),
        runner(root, "--unit", OURS, "measure", "--data", f"{root}/data/x"),
        runner(root, "predict", "--out", f"outputs.{UP}", "--warmup", "2"),
        runner(root, "--emulated", "golden"),
        runner(root, "serve", f"{root}/net", "start"),
        ["run", "60", "", "test", "-e", f"{root}/net/run/service.lock"],
        receive("edgeflow/net/run/service.json.part", "edgeflow/net/run/service.json", OLD),
        receive(f"{COLLECTED}.part", COLLECTED, OLD),
        agent(root, "pack-samples", f"{root}/net", "--uploader", UP),
        agent(root, "rollback", f"{root}/net", SHA, "--reason", "by hand", "--if-current"),
    ):  # fmt: skip
        guard.allow(*request)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda _: ["run", "60", "", "sh"],
        lambda _: ["run", "60", "/etc", "true"],
        lambda _: ["run", "60", "", "-", "-c", "print()"],
        lambda _: ["run", "60", "", "-", "-m", "http.server"],
        lambda _: ["main"],
        lambda r: ["send", f"{r}/../.ssh/id", "9"],
        lambda r: ["send", f"{r}/net/away/x", "9"],
        lambda _: receive("edgeflow/net/incoming/x.part", "edgeflow/net/current", SHA),
        lambda _: receive("edgeflow/net/away/x.part", "edgeflow/net/away/x.part", SHA),
        lambda _: receive("edgeflow/net/run/x.part", "edgeflow/net/run/service.lock", OLD),
        lambda _: receive("edgeflow/trust/incoming/x.part", "edgeflow/trust/incoming/x.part", SHA),
        lambda _: receive(*agent_upload(OLD)),
        lambda _: receive(*agent_upload(SHA)[:2], OLD),
        lambda r: agent(r, "status", f"{r}/net", sha=OLD),
        lambda r: agent(r, "supervise", f"{r}/net"),
        lambda r: agent(r, "forget", ".."),
        lambda r: agent(r, "forget", r),
        lambda r: agent(r, "forget", f"{r}/trust"),
        lambda r: agent(r, "forget", f"{r}/net/../trust"),
        lambda r: agent(r, "recover", "/"),
        lambda r: agent(r, "switch", f"{r}/net", SHA, "--python", "/tmp/evil"),
        lambda r: agent(r, "switch", f"{r}/net", SHA, "--pyth", "evil"),
        lambda r: agent(r, "switch", f"{r}/net", SHA, "--python=evil"),
        lambda r: agent(r, "switch", f"{r}/net", SHA, "--unit", OTHERS),
        lambda r: runner(r, "serve", f"{r}/net"),
        lambda r: runner(r, "serve", f"{r}/../x", "start"),
        lambda _: ["run", "60", "", "test", "-e", "/etc/passwd"],
        lambda r: runner(r),
        lambda r: runner(r, "measure", "--out", "/home/pi/.ssh/authorized_keys"),
        lambda r: runner(r, "measure", "--data", "/etc/passwd"),
        lambda r: ["run", "60", f"{r}/net", "-", "-B", f"{r}/net/current/runner.py", "golden"],
    ],
)  # fmt: skip
def test_all_else_is_refused(guard: Guard, request_of: Callable[[str], list[str]]) -> None:
    with pytest.raises((Refused, ValueError)):
        guard.allow(*request_of(guard.root))


@pytest.mark.parametrize(
    "command",
    [
        "",
        "sh",
        "exec sh",
        "'",
        "internal-sftp",
        "exec python3 -I -S -c code no-nonce run",
        "python3 -i",
    ],
)
def test_only_a_session_starts(guard: Guard, command: str) -> None:
    with pytest.raises(Refused):
        guard.session(command)


def test_what_the_guard_knows_is_what_runs() -> None:
    import hashlib

    known: dict[str, Any] = json.loads(keys.files({}, "edgeflow")[keys.SETTINGS])
    assert hashlib.sha256(agent_program()).hexdigest() in known["programs"]
