"""Targets that are no Python call in edgeflow's environment, from data to gate in one project."""

import copy
import csv
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import DeviceFolder
from tests import tiny_targets
from tests.pythons import another_version, needed_version
from tests.workflow.conftest import CONFIG, ROOT, Project, make_project

CHILDREN = {"child-1": "A1", "child-2": "B2"}
"""Devices with the serial number of their unit."""
PYTHON = another_version()
ONE_TARGET = {"compile": 1, "bundle": 1, "deploy": 1, "validate": 1, "gate": 1, "report": 1}
"""What runs where the model of one target is compiled anew."""


def configuration() -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    raw["datasets"]["digits"]["limit"] = 300
    raw["recipes"] = {"fp32": {}}
    raw["targets"] = {
        "child": {"kind": "tiny-child"},
        "board": {"kind": "tiny-hosted", "compile_host": "builder"},
    }
    raw["compile_hosts"] = {"builder": {"transport": "virtual"}}
    raw["devices"] = {
        name: {"target": "child", "transport": "virtual", "unit": {"serial": serial}}
        for name, serial in CHILDREN.items()
    }
    raw["deployments"] = [
        {
            "model": "tiny",
            "recipe": "fp32",
            "devices": list(CHILDREN),
            "measure": {"samples": 20},
            # Once to say what the model is, once for all samples.
            "gates": {"tensor_bytes_max": 1e6, "program_starts_max": 2, "parity_min": 1.0},
        }
    ]
    add_device(raw, "board")
    compiled = {"model": "tiny", "recipe": "fp32", "targets": ["child"]}
    raw["deployments"].append({**compiled, "gates": {"model_bytes_max": 1e6}})
    if PYTHON:
        raw["targets"]["old"] = {"kind": "tiny-old-python", "python": PYTHON}
        add_device(raw, "old")
    return raw


def add_device(raw: dict[str, Any], target: str) -> None:
    """Add a device of a target, and a deployment to it."""
    raw["devices"][f"{target}-1"] = {"target": target, "transport": "virtual"}
    deployment = {"model": "tiny", "recipe": "fp32", "devices": [f"{target}-1"]}
    measure = {"samples": 20, "runs": 10}
    raw["deployments"].append({**deployment, "measure": measure, "gates": {"parity_min": 1.0}})


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A built project with a deployment to a device of each tiny target."""
    made = make_project(tmp_path_factory.mktemp("tiny") / "project", configuration())
    tiny_targets.install(made.folder)
    tiny_targets.install_compiler(made.folder / start.STATE, "1.0")
    made.build()
    yield made
    made.stop_devices()


def read(project: Project, name: str) -> Any:
    return json.loads((project.folder / "results" / name).read_text())


def test_an_engine_that_is_a_child_program_goes_from_data_to_gate(project: Project) -> None:
    schema = json.loads((ROOT / "edgeflow/validate/validation.schema.json").read_text())
    compiled = read(project, "targets/child/tiny/fp32/compile.json")["facts"]
    recipe = read(project, "models/tiny/fp32/manifest.json")["facts"]
    assert compiled["weights"] == recipe["parameters"] > 0, "the compiler read the network itself"
    bundles = set()
    for device, serial in CHILDREN.items():
        record = read(project, f"devices/{device}/tiny/validation.json")
        jsonschema.validate(record, schema)
        bundles.add(record["bundle_sha256"])
        assert record["conditions"]["engine"] == f"tiny-child 1, unit {serial}"
        assert (record["latency_ms"], record["load_time_ms"], record["peak_rss_mb"]) == (None,) * 3
        assert record["figures"]["program_starts"] == 2
        assert record["figures"]["tensor_bytes"] > 4 * compiled["weights"]
        (gate,) = [
            gate
            for gate in read(project, f"devices/{device}/tiny/gates.json")["gates"]
            if gate["name"] == "tensor_bytes_max"
        ]
        assert gate == {
            "name": "tensor_bytes_max",
            "kind": "emulated",
            "limit": 1e6,
            "value": record["figures"]["tensor_bytes"],
            "passed": True,
        }
    assert len(bundles) == 1, "a unit is no part of the bundle"


def test_figures_of_engines_are_in_the_table_and_latencies_of_none_are_not(
    project: Project,
) -> None:
    with (project.folder / "results/report/metrics.csv").open() as file:
        rows = {row["device"]: row for row in csv.DictReader(file)}
    for device in CHILDREN:
        record = read(project, f"devices/{device}/tiny/validation.json")
        assert (rows[device]["latency_p50_ms"], rows[device]["cpu"]) == ("", "a program")
        assert float(rows[device]["tensor_bytes"]) == record["figures"]["tensor_bytes"]


def test_what_is_compiled_for_no_device_is_judged_and_in_the_table(project: Project) -> None:
    (gate,) = read(project, "targets/child/tiny/fp32/gates.json")["gates"]
    assert (gate["name"], gate["passed"]) == ("model_bytes_max", True)
    with (project.folder / "results/report/metrics.csv").open() as file:
        (row,) = [row for row in csv.DictReader(file) if not row["device"]]
    assert (row["target"], row["kind_of_figures"]) == ("child", "compiled")


def test_another_unit_reaches_its_device_alone(project: Project) -> None:
    raw = configuration()
    raw["devices"]["child-2"]["unit"]["serial"] = "C3"
    project.write_config(raw)
    assert project.would_run() == {"deploy": 1, "validate": 1, "gate": 1, "report": 1}


def test_a_compiler_in_another_python_goes_from_data_to_gate(project: Project) -> None:
    needed_version()
    record = read(project, "targets/old/tiny/fp32/compile.json")
    lock = project.folder / "tiny_targets/old-python.txt"
    assert record["facts"]["written_by"] == f"Python {PYTHON}"
    assert record["tools"]["Python of old-python.txt"] == PYTHON
    assert record["tools"]["old-python.txt"] == sha256_file(lock)
    assert read(project, "devices/old-1/tiny/gates.json")["passed"]


def test_another_lock_rebuilds_its_target_alone(project: Project) -> None:
    needed_version()
    project.write_config(configuration())
    lock = project.folder / "tiny_targets/old-python.txt"
    text = lock.read_text()
    lock.write_text("# of today\n" + text)
    assert project.would_run() == ONE_TARGET
    lock.write_text(text)
    assert project.would_run() == {}


def test_a_compiler_on_a_host_goes_from_data_to_gate_and_leaves_nothing_there(
    project: Project,
) -> None:
    record = read(project, "targets/board/tiny/fp32/compile.json")
    assert record["tools"]["tinyc"] == "tinyc 1.0"
    assert record["facts"]["compiler_lines"] == 1
    assert "compile_host" not in record["slice"]["target"]
    assert read(project, "devices/board-1/tiny/gates.json")["passed"]
    root = DeviceFolder(project.folder / start.STATE / tiny_targets.BUILDER).root
    assert list((root / "edgeflow/.compile").iterdir()) == []


def test_a_host_at_another_address_or_switched_off_rebuilds_nothing(project: Project) -> None:
    host = DeviceFolder(project.folder / start.STATE / tiny_targets.BUILDER)
    raw = configuration()
    assert project.would_run() == {}  # asks the host, so it listens
    raw["compile_hosts"] = {"builder": tiny_targets.as_real(host)}
    project.write_config(raw)
    assert project.would_run() == {}
    raw["compile_hosts"]["builder"]["port"] = 1
    project.write_config(raw)
    done = project.snakemake("--dry-run")
    assert "compile host builder (127.0.0.1:1) does not answer" in done.stderr
    assert project.would_run() == {}


def test_another_version_of_the_remote_compiler_rebuilds_its_target_alone(
    project: Project,
) -> None:
    project.write_config(configuration())
    tiny_targets.install_compiler(project.folder / start.STATE, "2.0")
    assert project.would_run() == ONE_TARGET
    project.build()
    record = read(project, "targets/board/tiny/fp32/compile.json")
    assert record["tools"]["tinyc"] == "tinyc 2.0"
    assert project.would_run() == {}


def test_a_host_that_is_off_stops_its_target_alone(project: Project) -> None:
    raw = configuration()
    host = DeviceFolder(project.folder / start.STATE / tiny_targets.BUILDER)
    assert project.would_run() == {}
    raw["compile_hosts"] = {"builder": {**tiny_targets.as_real(host), "port": 1}}
    raw["datasets"]["digits"]["limit"] = 290
    project.write_config(raw)
    before = len(project.events())
    done = project.command("edgeflow", "run", "--cores", "2", "--keep-going")
    assert done.returncode == 4, done.stdout + done.stderr
    ended = {event["name"]: event["exit_code"] for event in project.events()[before:]}
    assert ended["board/tiny/fp32"] == 4
    assert ended["child-1/tiny"] == 0
