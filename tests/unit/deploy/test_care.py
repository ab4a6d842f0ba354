"""`edgeflow device doctor`, `history`, `logs` and `gc`: devices are looked after."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.cli.device.asked import Asked
from edgeflow.cli.device.doctor import _of
from edgeflow.deploy import checkup
from edgeflow.deploy.checkup import Check, Checkup
from edgeflow.deploy.facts import Facts
from edgeflow.errors import DeployError, IntegrityError, MissingToolError
from edgeflow.ondevice import checkup as on_device
from edgeflow.remote.inventory import Endpoint
from tests.tiny_targets import section_of

if TYPE_CHECKING:
    from edgeflow.remote.virtual.layout import Address
    from tests.unit.deploy.conftest import Lab

NOW = 1_800_000_000.0
FINE = Checkup(
    free_bytes=1 << 40, free_inodes=None, writable=True, memory_bytes=1 << 33,
    available_bytes=1 << 32, provisioned=True, unix_s=NOW + 2, governor="performance",
    temperature_c=40.0, throttled=0, trust={"allowed_signers": None, "revoked_keys": None},
    ssh_keygen=True,
)  # fmt: skip
FACTS = Facts(
    cpu="Cortex-A72", machine="aarch64", instruction_sets=[], kernel="6", python="3.11.2",
    packages={"numpy": "2.4.6"}, unrelated_pycoral=False,
)  # fmt: skip
WHERE = Endpoint(
    title="device pi", name="pi", host="pi.local", port=22, user="pi", host_key="", path="edgeflow",
    identity=Path("key"), timeout_s=1, run_timeout_s=1, python="python3",
)  # fmt: skip


def found(lock: Path | None = None, facts: Facts = FACTS, **changes: Any) -> dict[str, Check]:
    """Return what is not in order."""
    how = FINE.model_copy(update=changes)
    said = checkup.checks(WHERE, facts, how, lock, NOW)
    return {it.what: it for it in said if it.state != "ok"}


def test_a_device_in_order_has_nothing_to_fix() -> None:
    assert found() == {}
    assert all(not it.fix for it in checkup.checks(WHERE, FACTS, FINE, None, NOW))


@pytest.mark.parametrize(
    ("changes", "what", "detail", "fix"),
    [
        ({"free_bytes": 9 << 20}, "disk", "9 MiB free", "edgeflow device gc pi"),
        ({"free_inodes": 7}, "inodes", "7 free", "edgeflow device gc pi"),
        ({"writable": False}, "folder", "read-only", "set `path` of device pi"),
        ({"unix_s": 86400.0}, "clock", "never set", "timedatectl set-ntp true"),
        ({"unix_s": NOW + 3.2e8}, "clock", "+320000000 s off", "timedatectl set-ntp true"),
        ({"available_bytes": 9 << 20}, "memory", "9 MiB available", "top -b"),
        ({"governor": "ondemand"}, "governor", "latencies vary", "-g performance"),
        ({"temperature_c": 85.0}, "temperature", "85 °C", "cool it"),
        ({"throttled": 0x50001}, "throttling", "supply voltage is too low", "supply"),
    ],
)
def test_what_is_wrong_is_named_with_the_command_that_fixes_it(
    changes: dict[str, Any], what: str, detail: str, fix: str
) -> None:
    said = found(**changes)
    assert set(said) == {what}
    assert detail in said[what].detail
    assert fix in said[what].fix
    assert said[what].exit_code == (DeployError.exit_code if what == "folder" else 0)


def test_a_command_that_fixes_a_row_of_a_fleet_names_the_fleet() -> None:
    low = found(free_bytes=1)["disk"]
    assert _of(Asked(section=None), low).fix == "edgeflow device gc pi"
    assert _of(Asked(section=None, fleet="line"), low).fix == "edgeflow device gc pi --fleet line"
    hot = found(temperature_c=99.0)["temperature"]
    assert _of(Asked(section=None, fleet="line"), hot).fix == "cool it"


def test_engines_are_compared_with_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "litert-device.txt"
    lock.write_text(
        "ai-edge-litert==2.3.0 \\\n    --hash=sha256:00\nnumpy==2.4.6 ; python_version < '3.12'\n"
        "numpy==2.5.0 ; python_version >= '3.12'\ntqdm==4.0\n"
    )
    assert found(lock) == {
        "ai-edge-litert": Check(
            what="ai-edge-litert", state="missing", detail="litert-device.txt has it",
            fix="edgeflow device provision pi", kind=MissingToolError,
        )
    }  # fmt: skip
    older = FACTS.model_copy(update={"packages": {"numpy": "1.26", "ai-edge-litert": "2.3.0"}})
    assert found(lock, older)["numpy"].detail == "1.26; litert-device.txt has 2.4.6 or 2.5.0"


def test_signers_are_compared_with_the_configuration() -> None:
    wanted = {"allowed_signers": b"me ssh-ed25519 AAAA\n"}

    def state(there: str | None) -> str:
        how = FINE.model_copy(update={"trust": {"allowed_signers": there}})
        [check] = checkup.trust_check(WHERE, how, wanted)
        return check.state

    assert [state(it) for it in ("me ssh-ed25519 AAAA", "you", None)] == [
        "ok",
        "warning",
        "missing",
    ]


def test_a_checkup_reads_what_linux_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "class/thermal/thermal_zone0/temp": "51234\n",
        "devices/platform/soc/soc:firmware/get_throttled": "50005\n",
        "devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
        "meminfo": "MemTotal:   2048 kB\nMemAvailable:  1024 kB\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(on_device, "SYS", str(tmp_path))
    monkeypatch.setattr(on_device, "PROC", str(tmp_path))
    said = Checkup.model_validate_json(json.dumps(on_device.checkup(str(tmp_path / "edgeflow"))))
    assert (said.temperature_c, said.throttled, said.governor) == (51.234, 0x50005, "ondemand")
    assert (said.memory_bytes, said.available_bytes) == (2 << 20, 1 << 20)
    assert not said.provisioned


@pytest.fixture
def bench(lab: "Lab") -> "Address":
    """A device `good` with a deployment of `net` by configuration."""
    address = lab.device()
    config = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "ds_cnn"}}},
        "recipes": {"fp32": {}},
        "targets": {"pi": {"kind": "litert"}},
        "devices": {"good": {**section_of(address), "target": "pi", "trust": "transport"}},
        "deployments": [{"model": "net", "recipe": "fp32", "devices": ["good"]}],
    }
    Path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return address


def device(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["device", *arguments])


def test_commands_look_after_a_device(
    lab: "Lab", bench: "Address", make_bundle: Callable[..., Path]
) -> None:
    said = json.loads(device("doctor", "--json").stdout)["good"]
    missing = next(it for it in said if it["what"] == "net")
    assert (missing["state"], missing["fix"]) == ("warning", "edgeflow run")
    assert missing["exit_code"] == 0, "it lacks nothing for a deployment"
    assert {"machine", "disk", "clock", "memory"} <= {it["what"] for it in said}

    for payload in (b"1", b"2", b"3", b"4", b"5", b"6"):
        lab.serve(bench, make_bundle(payload))
    log = json.loads(device("history", "--last", "2", "--json").stdout)["good"]["net"]
    assert (log["chain"], len(log["entries"])) == ("whole", 2)
    table = device("history", "good").stdout
    assert "confirm" in table
    audit = lab.root(bench) / "edgeflow/net/audit.log"
    audit.write_text(audit.read_text().replace('"verb": "install"', '"verb": "prune"', 1))
    changed = device("history", "good")
    assert "the audit log was changed: broken at line" in changed.stdout
    assert changed.exit_code == IntegrityError.exit_code

    log_file = lab.root(bench) / "edgeflow/net/run/service.log"
    log_file.parent.mkdir(exist_ok=True)
    log_file.write_text("one\ntwo \x1b[31m\nthree\n")
    said = json.loads(device("logs", "--last", "2", "--json").stdout)["good"]["net"]
    assert [it.split()[0] for it in said] == ["two", "three"]
    assert "\x1b" not in device("logs", "good").stdout

    root = lab.root(bench) / "edgeflow"
    for name in ("env/old/lib", "env/new/lib", "bin"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "env/old/lib/numpy.so").write_bytes(b"x" * 5000)
    (root / "env/current").symlink_to("new")
    (root / "bin/agent-old.pyz").write_bytes(b"x" * 5000)
    (root / "bin/agent-boot.pyz").touch()
    (root / "bin/agent.pyz").symlink_to("agent-boot.pyz")
    freed = json.loads(device("gc", "--json").stdout)["good"]["freed_bytes"]
    assert freed >= 10_000
    assert sorted(it.name for it in (root / "env").iterdir()) == ["current", "new"]
    kept = sorted(it.name for it in (root / "bin").iterdir())
    assert len(kept) == 4, "these, and the agent and session program that serve now"
    assert {"agent-boot.pyz", "agent.pyz"} < set(kept)
    assert lab.current(bench)


def test_no_name_of_a_model_leads_out(bench: "Address") -> None:
    assert device("logs", "good", "--model", "../x").exit_code == 2
