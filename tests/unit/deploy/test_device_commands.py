"""`edgeflow device`: several devices at a time, each for itself."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.cli.device.several import ask_all
from edgeflow.deploy import release
from edgeflow.deploy.judged import rollback_reason
from edgeflow.errors import DeployError, EdgeflowError, UnreachableError
from edgeflow.remote.virtual.layout import Address
from tests.tiny_targets import section_of
from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]


def unwrapped(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


def device(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["device", *arguments])


@pytest.fixture
def bench(lab: Lab) -> Address:
    """A device `good`, and one, `off`, that does not answer; both have `net` by configuration."""
    address = lab.device()
    with socket.create_server(("127.0.0.1", 0)) as server:
        off = {**section_of(address), "port": server.getsockname()[1]}
    sections = {"off": off, "good": section_of(address)}
    config = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
        "recipes": {"fp32": {}},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {
            name: {**it, "target": "pi", "trust": "transport"} for name, it in sections.items()
        },
        "deployments": [{"model": "net", "recipe": "fp32", "devices": ["off", "good"]}],
    }
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return address


def test_a_device_that_does_not_answer_stops_no_other(bench: Address) -> None:
    done = device("ping")
    assert done.exit_code == UnreachableError.exit_code
    assert "good: answers in" in done.stdout
    assert "error: device off (" in done.stderr
    said = json.loads(device("ping", "--json").stdout)
    assert said["good"].keys() == {"login_ms", "answer_ms"}
    assert said["off"]["exit_code"] == UnreachableError.exit_code
    assert device("ping", "good").exit_code == 0
    unknown = device("ping", "goo")
    assert unknown.exit_code == 2
    assert "did you mean 'good'?" in unknown.stderr


def test_the_configured_devices_are_listed_without_asking_them(bench: Address) -> None:
    listed = json.loads(device("list", "--json").stdout)
    assert [(it["device"], it["deployments"]) for it in listed] == [
        ("off", ["net/fp32"]),
        ("good", ["net/fp32"]),
    ]
    assert [line.split()[0] for line in device("list").stdout.splitlines()] == [
        "DEVICE", "off", "good",
    ]  # fmt: skip


def test_a_rollback_brings_the_release_before(
    bench: Address, lab: Lab, make_bundle: MakeBundle
) -> None:
    def served() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(device("status", "good", "--json").stdout)["good"]["net"]
        return found

    assert served()["state"] == "serves none"
    assert device("rollback", "good", "net").exit_code == DeployError.exit_code
    old = lab.serve(bench, make_bundle(b"old"))
    nothing_before = device("rollback", "good", "net")
    assert nothing_before.exit_code == DeployError.exit_code
    assert f"no release of net before {old[:12]}" in nothing_before.stderr
    new = lab.serve(bench, make_bundle(b"new"))

    record = Path("results/devices/good/net/deploy.json")
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"bundle_sha256": new}))
    (record.parent / "gates.json").write_text("{}")
    link = lab.root(bench) / "edgeflow/net/current"
    found = served()
    assert (found["current_sha256"], found["previous_sha256"]) == (new, old)
    assert found["since_unix_s"] == pytest.approx(link.lstat().st_mtime)
    assert (found["state"], found["fault"]) == ("serves the last build", None)

    done = device("rollback", "good", "net", "--reason", "too warm")
    assert (done.exit_code, done.stdout) == (
        0,
        f"good: net: rejected {new[:12]}; serves {old[:12]}\n",
    )
    assert '"reason": "too warm"' in (link.parent / "audit.log").read_text()
    assert "delete results/devices/good/net and run `edgeflow run`" in done.stderr
    assert rollback_reason(record.parent, new) == "too warm"
    assert rollback_reason(record.parent, old) is None
    hint = (
        "hint: to deploy net to good again, delete results/devices/good/net and run `edgeflow run`"
    )
    assert hint in device("status", "good").stderr
    found = served()
    assert (found["current_sha256"], found["rejected_sha256"]) == (old, [new])
    assert found["state"] == "rejected the last build"
    link.unlink()
    link.symlink_to("/nowhere")
    broken = device("status", "good")
    assert "current points at /nowhere, which is no release" in broken.stdout.splitlines()[1]
    assert broken.exit_code == DeployError.exit_code
    assert "fault" in device("doctor", "good").stdout


def test_a_rollback_rejects_the_release_that_was_seen_and_no_other(
    bench: Address, lab: Lab, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, seen, later = (lab.serve(bench, make_bundle(it)) for it in (b"old", b"seen", b"later"))
    other = device("rollback", "good", "net", "--release", seen[:12])
    assert other.exit_code == DeployError.exit_code
    assert f"now uses release {later[:12]} of net, not {seen[:12]}" in other.stderr
    assert f"--release {later[:12]}" in other.stderr
    assert device("rollback", "good", "net", "--release", "newest").exit_code == 2
    assert lab.current(bench) == later

    held = release.held

    @contextmanager
    def late(name: str, timeout_s: float) -> Iterator[None]:
        """Bring another release while the lock is waited for."""
        lab.serve(bench, make_bundle(b"latest"))
        with held(name, timeout_s):
            yield

    with monkeypatch.context() as patch:
        patch.setattr(release, "held", late)
        missed = device("rollback", "good", "net")
    assert missed.exit_code == DeployError.exit_code
    latest = lab.current(bench)
    assert latest not in (None, later)
    assert f"now uses release {str(latest)[:12]} of net, not {later[:12]}" in missed.stderr

    bound = ("rollback", "good", "net", "--release", str(latest)[:12], "--json")
    for changed in (True, False):
        done = device(*bound)
        assert done.exit_code == 0
        assert json.loads(done.stdout)["good"] == {
            "rejected_sha256": latest, "current_sha256": later, "changed": changed,
        }  # fmt: skip
    assert old != lab.current(bench) == later


@pytest.fixture
def fleet(bench: Address, lab: Lab) -> str:
    """The fleet `line` with a row for `good`, and one, `off`, that does not answer."""
    config = yaml.safe_load(Path("config.yaml").read_text())
    shared = {"target": "pi", "transport": "ssh", "identity": str(bench.identity)}
    config["fleets"] = {"line": {**shared, "trust": "transport", "inventory": "line.csv"}}
    config["models"]["other"] = config["models"]["net"]
    rollout = {"fleet": "line", "model": "net", "recipe": "fp32", "variants": {"other": "other"}}
    config["rollouts"] = {"spring": rollout}
    config["deployments"].append({"model": "other", "recipe": "fp32", "devices": ["good"]})
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    off = config["devices"]["off"]["port"]
    rows = [("one", bench.port, "north"), ("off", off, "south")]
    stands_by = {"off": "one"}
    Path("line.csv").write_text(
        "name,host,port,user,host_key,zone,variant,standby\n"
        + "".join(
            f"{name},{bench.host},{port},{bench.user},{bench.host_key},{zone},"
            f"{'other' if name in stands_by else ''},{stands_by.get(name, '')}\n"
            for name, port, zone in rows
        )
    )
    return "line"


def test_commands_ask_rows_of_a_fleet(
    fleet: str, bench: Address, lab: Lab, make_bundle: MakeBundle
) -> None:
    def said(verb: str, *more: str, code: int = 0) -> dict[str, Any]:
        done = device(verb, "--fleet", fleet, "--json", *more)
        assert done.exit_code == code, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    north = ("--where", "zone=north")
    assert said("ping", code=UnreachableError.exit_code)["off"]["exit_code"] == 4
    assert set(said("ping", "--where", "zone=east", *north)) == {"one"}
    steps = said("provision", *north, "--dry-run", "--lock", "line.csv")["one"]
    assert (steps[0]["what"], steps[0]["state"]) == ("agent", "would change")
    checks = {it["what"]: it for it in said("doctor", "one")["one"]}
    assert checks["net"]["fix"] == "edgeflow rollout spring"

    bundle = make_bundle()
    sha = lab.serve(bench, bundle)
    built = Path("results/targets/pi/net/fp32/bundle.tar")
    built.parent.mkdir(parents=True)
    built.write_bytes(bundle.read_bytes())
    served = said("status", "one")["one"]["net"]
    assert (served["current_sha256"], served["state"]) == (sha, "serves the last build")
    assert said("models", "one")["one"][0]["configured"] is True
    assert said("history", *north)["one"]["net"]["chain"] == "whole"
    assert said("logs", "one") == {"one": {"net": []}}
    assert set(said("gc", "one")["one"]) == {"freed_bytes"}

    assert said("serve", "net", *north, "--status")["one"]["running"] is False
    used = device("remove", "net", "--fleet", fleet)
    assert "take that out of `rollouts` first" in unwrapped(used.stderr)
    stands_by = device("remove", "one", "other", "--fleet", fleet)  # of `off`
    assert "deploys 'other' to one: take that out of `rollouts`" in unwrapped(stands_by.stderr)
    newer = lab.serve(bench, make_bundle(b"newer"))
    noted = Path("results/devices/one/net")  # of a device of the configuration with that name
    noted.mkdir(parents=True)
    (noted / "gates.json").write_text("{}")
    done = device("rollback", "net", "--fleet", fleet, *north)
    assert (done.exit_code, lab.current(bench)) == (0, sha), done.stderr
    assert f"one: net: rejected {newer[:12]}" in done.stdout
    assert "hint: the next `edgeflow rollout spring`" in done.stderr
    bound = device("rollback", "one", "net", "--fleet", fleet, "--release", "0" * 12)
    assert f"edgeflow device status one --fleet {fleet}" in bound.stderr
    assert said("remove", "one", "old-net", code=5)["one"]["exit_code"] == 5
    assert [it.name for it in noted.iterdir()] == ["gates.json"]
    for verb in ("rollback", "remove", "serve"):
        alone = device(verb, "net")
        assert alone.exit_code == 2
        assert "name the devices that it is to change, or a --fleet" in unwrapped(alone.stderr)

    for arguments, why in (
        (("--fleet", "lin"), "did you mean 'line'?"),
        (("--fleet", "line", "--where", "zone"), "'zone' is not LABEL=VALUE"),
        (("--fleet", "line", "--where", "zone=east"), "no device with zone=east in fleet line"),
        (("--fleet", "line", "on"), "no device 'on' in fleet line"),
        (("--where", "zone=north"), "it selects devices of a --fleet"),
    ):
        wrong = device("ping", *arguments)
        assert wrong.exit_code == 2
        assert why in unwrapped(wrong.stderr)


def test_so_many_devices_are_asked_at_a_time_as_wanted() -> None:
    lock, pair = threading.Lock(), threading.Barrier(2)
    running, most = 0, 0

    def ask(name: str) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        pair.wait(60)  # nobody gets by alone
        with lock:
            running -= 1
        if name == "3":
            raise EdgeflowError("no")
        return int(name)

    found, failed = ask_all(map(str, range(6)), ask, connections=2)
    assert (list(found.values()), list(failed), most) == ([0, 1, 2, 4, 5], ["3"], 2)
