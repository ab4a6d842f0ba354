"""Rollouts over real SSH to virtual devices."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from paramiko import Transport

import edgeflow
from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.release import LOCKS, OpenDevice
from edgeflow.deploy.service import Health
from edgeflow.errors import DeployError, UnreachableError
from edgeflow.fleet import over_ssh
from edgeflow.fleet.campaign import dry_run, run_rollout
from edgeflow.fleet.over_ssh import Model, SshUnit
from edgeflow.remote.inventory import parse_device
from edgeflow.testing.fault_proxy import FaultProxy
from tests.unit.fleet.simulated import spec

if TYPE_CHECKING:
    from edgeflow.remote.virtual.layout import Address
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
FAILS = b"import sys; print(sys.argv); sys.exit(1)\n"


@pytest.fixture
def proxy(lab: "Lab") -> Iterator[tuple["Address", FaultProxy]]:
    """A device, and a proxy before it that passes everything on."""
    pi = lab.device()
    with FaultProxy(pi.port, "none") as proxy:
        yield pi, proxy


def unit(
    lab: "Lab", address: "Address", bundle: Path, name: str = "", **changes: object
) -> SshUnit:
    slice_ = lab.slice(address, **changes)
    model = Model(name="net", bundle=bundle, sha256=sha256_file(bundle))
    return SshUnit(name or slice_["name"], parse_device(slice_["device"]), model)


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def test_a_dead_and_a_black_holed_device_keep_none_from_being_confirmed(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    bundle, state = make_bundle(), tmp_path / "state.jsonl"
    devices = [lab.device() for _ in range(6)]
    good = [unit(lab, pi, bundle) for pi in devices]
    with FaultProxy(devices[0].port, "silent") as hole:
        bad = [
            unit(lab, devices[0], bundle, "dead", port=closed_port(), timeout_s=1.0),
            unit(lab, devices[0], bundle, "hole", port=hole.port, timeout_s=1.0),
        ]
        units = [*good[:2], *bad, *good[2:]]
        waves = spec(waves=(1, 0.5, 1.0), connections=4, bundle_sha256=units[0].sha256)
        planned = {change.device: change for change in dry_run(waves, units)}
        assert [planned[it.name].why for it in good] == ["it serves none"] * 6
        assert planned["dead"].silent
        first = run_rollout(waves, units, state, bool)
        counts = (first.counts["confirmed"], first.counts["unreachable"])
        assert (counts, first.ended) == ((6, 2), "complete")
        assert "SSH" in first.outcomes["hole"].detail
        logins = lab.logins()
        run_rollout(waves, units, state, bool)
    assert lab.logins() == logins, "nobody asks a confirmed device again"
    assert {lab.current(pi) for pi in devices} == {sha256_file(bundle)}
    assert not list(LOCKS.iterdir()), "a lock file is gone with the lock"
    lab.wait_until(lambda: not any(isinstance(it, Transport) for it in threading.enumerate()))


def test_a_confirmed_device_without_a_record_is_sent_nothing(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    one = unit(lab, lab.device(), make_bundle())
    sent = [
        run_rollout(spec(), [one], tmp_path / name, bool).outcomes[one.name].sent_bytes
        for name in ("one.jsonl", "other.jsonl")
    ]
    assert sent == [one.model.bundle.stat().st_size, 0]


def test_a_device_with_another_host_key_is_sent_nothing(
    lab: "Lab", make_bundle: MakeBundle
) -> None:
    pi, other = lab.device(), lab.device()
    logins = lab.logins()
    outcome = unit(lab, pi, make_bundle(), host_key=other.host_key).deploy(print)
    assert (outcome.result, outcome.sent_bytes) == ("rejected", 0)
    assert "host key" in outcome.detail
    assert (lab.logins(), lab.current(pi)) == (logins, None)


def test_a_model_that_fails_on_the_device_is_rejected(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi = lab.device()
    old = lab.serve(pi, make_bundle(b"old"))
    bad = unit(lab, pi, make_bundle(runner=FAILS))
    outcome = run_rollout(spec(), [bad], tmp_path / "s.jsonl", bool).outcomes[bad.name]
    assert outcome.result == "rejected"
    assert "the runner of net failed" in outcome.detail
    assert lab.current(pi) == old


KILLED = """
import json, os, signal, sys
from pathlib import Path
from edgeflow.deploy.release import OpenDevice
from edgeflow.fleet.campaign import run_rollout
from edgeflow.fleet.over_ssh import Model, SshUnit
from edgeflow.remote.inventory import parse_device
from tests.unit.fleet.simulated import spec

OpenDevice._confirm = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
name, device, bundle, sha256 = json.loads(sys.argv[1])
unit = SshUnit(name, parse_device(device), Model(name="net", bundle=Path(bundle), sha256=sha256))
run_rollout(spec(), [unit], Path("state.jsonl"), bool)
"""


def test_a_device_goes_back_when_its_rollout_is_killed_before_the_confirmation(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi = lab.device()
    old, bundle = lab.serve(pi, make_bundle(b"old")), make_bundle(b"new")
    slice_, sha = lab.slice(pi, confirm_s=1.0), sha256_file(bundle)
    given = json.dumps([slice_["name"], slice_["device"], str(bundle), sha])
    root = Path(edgeflow.__file__).parents[1]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, given],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    one = unit(lab, pi, bundle)
    lab.wait_until(lambda: lab.current(pi) == old)
    lab.wait_until(lambda: one.look().confirmed)
    result = run_rollout(spec(), [one], tmp_path / "state.jsonl", bool)
    outcome = result.outcomes[one.name]
    assert (outcome.result, outcome.sent_bytes) == ("confirmed", 0)
    assert lab.current(pi) == sha


@pytest.mark.parametrize(
    ("before", "found", "result"),
    [
        (b"old", Health(running=False, detail="killed"), "rolled_back"),
        (b"new", Health(running=True, fault="no memory"), "unknown"),
    ],
)
def test_a_service_that_does_not_come_up_is_no_confirmed_device(
    lab: "Lab",
    make_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
    before: bytes,
    found: Health,
    result: str,
) -> None:
    def fail(*_: object) -> NoReturn:
        raise DeployError("it does not serve")

    monkeypatch.setattr(over_ssh, "keep_serving", fail)
    monkeypatch.setattr(over_ssh, "health", lambda *_: found)
    pi = lab.device()
    served = lab.serve(pi, make_bundle(before))
    one = unit(lab, pi, make_bundle(b"new"), service={})
    outcome = one.deploy(print)
    assert (outcome.result, outcome.detail) == (result, "it does not serve")
    assert lab.current(pi) == served
    assert one.look().serves(one.sha256) is False


@pytest.mark.parametrize(("switched", "result"), [(True, "confirmed"), (False, "rolled_back")])
def test_a_lost_answer_is_settled_by_what_the_device_serves(
    lab: "Lab",
    make_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
    switched: bool,
    result: str,
) -> None:
    activate = OpenDevice.activate

    def lose(self: OpenDevice, *arguments: str, **options: object) -> bool:
        if switched:
            activate(self, *arguments, **options)  # type: ignore[arg-type]
        raise UnreachableError("lost the connection")

    monkeypatch.setattr(OpenDevice, "activate", lose)
    pi = lab.device()
    assert unit(lab, pi, make_bundle()).deploy(print).result == result


def test_a_device_that_stays_silent_after_the_switch_is_unknown(
    lab: "Lab",
    proxy: tuple["Address", FaultProxy],
    make_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pi, line = proxy

    def lose(*_: object, **__: object) -> bool:
        line.fault = "silent"
        line.reset()
        raise UnreachableError("lost the connection")

    monkeypatch.setattr(OpenDevice, "activate", lose)
    monkeypatch.setattr(over_ssh, "_LOOK_S", 0.0)
    asked = unit(lab, pi, make_bundle(), port=line.port, timeout_s=2.0, confirm_s=0.1)
    outcome = asked.deploy(print)
    assert (outcome.result, outcome.detail) == ("unknown", "lost the connection")


def test_a_device_goes_back_to_what_it_served_before(lab: "Lab", make_bundle: MakeBundle) -> None:
    pi = lab.device()
    old = lab.serve(pi, make_bundle(b"old"))
    one = unit(lab, pi, make_bundle(b"new"))
    assert one.go_back("too warm") is False
    assert one.deploy(print).result == "confirmed"
    assert one.go_back("too warm") is True
    assert lab.current(pi) == old
    assert one.go_back("too warm") is False
    assert one.deploy(print).result == "confirmed", "a rollout that is resumed brings it again"
    first = unit(lab, lab.device(), make_bundle(b"new"))
    assert first.deploy(print).result == "confirmed"
    with pytest.raises(DeployError, match="has no release of net to go back to"):
        first.go_back("too warm")
