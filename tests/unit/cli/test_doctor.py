"""`edgeflow doctor`, and what it and `edgeflow check` say of instruction sets."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from edgeflow.cli.app import app
from edgeflow.cli.doctor import seen, unlike, warnings
from edgeflow.cli.toolchains import failures, toolchains
from edgeflow.config.deployment import Measure
from edgeflow.config.gates import Gates
from edgeflow.deploy.facts import of_this_machine
from edgeflow.ondevice import facts
from edgeflow.plan import Plan, Unit, targets
from edgeflow.toolchain.base import Environment, Host, Program, Toolchain
from tests.edge_tpu import install_pycoral

VNNI, NO_VNNI = ("x86_64", ["avx2", "avx512_vnni"]), ("x86_64", ["avx2"])


def plan(**target: Any) -> Plan:
    config = SimpleNamespace(
        targets={"intel": SimpleNamespace(**target)},
        devices={"atom": SimpleNamespace(target="intel")},
    )
    kept = {"target": "intel", "model": "net", "recipe": "int8"}
    gates, measure = Gates(), Measure()
    units = [
        Unit(allow_downgrade=False, device=name, gates=gates, measure=measure, **kept)
        for name in ("atom", "b")
    ]
    return cast("Plan", SimpleNamespace(config=config, units=units, deployed=units))


def test_this_machine_is_described_without_a_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["build_machine"]["instruction_sets"] == facts.instruction_sets()
    assert {"numpy", "openvino", "ai-edge-litert"} <= said["build_machine"]["packages"].keys()
    assert (said["devices"], said["warnings"]) == ({}, [])
    assert "instruction sets: " in CliRunner().invoke(app, ["doctor"]).stdout


def test_int8_that_overflows_on_one_side_is_warned_of() -> None:
    [warning] = unlike(plan(overflow_fix=False), VNNI, {"atom": NO_VNNI})
    assert "device atom: its target has `overflow_fix: false`, and atom has no VNNI" in warning
    [warning] = unlike(plan(overflow_fix=False), NO_VNNI, {"atom": VNNI})
    assert "this machine has no VNNI" in warning
    assert not list(unlike(plan(overflow_fix=False), VNNI, {"atom": VNNI}))
    assert not list(unlike(plan(overflow_fix=True), VNNI, {"atom": NO_VNNI}))
    assert not list(unlike(plan(), VNNI, {"atom": NO_VNNI}))


def test_what_was_measured_last_says_what_a_device_is(tmp_path: Path) -> None:
    path = tmp_path / "devices/atom/net/validation.json"
    path.parent.mkdir(parents=True)
    conditions = {"machine": "x86_64", "instruction_sets": ["avx2"]}
    path.write_text(json.dumps({"conditions": conditions}))
    assert seen(plan(), tmp_path) == {"atom": NO_VNNI}
    path.write_text(json.dumps({"conditions": {"machine": "x86_64"}}))  # of an older version
    assert seen(plan(), tmp_path) == {}


@pytest.mark.parametrize("ours", [True, False])
def test_a_pycoral_that_is_not_googles_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    install_pycoral(tmp_path, "utils/edgetpu.py" if ours else "reef.py")
    monkeypatch.syspath_prepend(tmp_path)
    here = of_this_machine()
    assert here.packages["pycoral"] == "1.0"
    said = list(warnings(None, here, {}))
    assert said == [] if ours else "has nothing to do with Coral" in said[0]


def test_toolchains_are_named_and_asked_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    chains: dict[str, tuple[Toolchain, Host]] = {
        "own": (Toolchain(), None),
        "old": (Toolchain(environment=Environment(lock=Path("no.txt"), python="2.0")), None),
        "path": (Toolchain(programs=(Program(name="no-such-tool", install="get it"),)), None),
        "far": (Toolchain(programs=(Program(name="tinyc", install="get it"),)), {"name": "b"}),
    }
    monkeypatch.setattr(targets, "toolchain", lambda plan, target: chains[target][0])
    monkeypatch.setattr(targets, "compile_host", lambda plan, target: chains[target][1])
    plan = SimpleNamespace(config=SimpleNamespace(targets=chains))
    found = list(toolchains(cast("Plan", plan), over_ssh=False))
    assert [each.line() for each in found] == [
        "target own: edgeflow's own environment",
        "target old: Python 2.0 with no.txt",
        "target path: no-such-tool on PATH",
        "target far: tinyc on compile host b",
    ]
    failed = failures(found)
    assert list(failed) == ["target old", "target path"]
    assert "no program no-such-tool" in failed["target path"].message
    assert failed["target path"].hint == "get it"
